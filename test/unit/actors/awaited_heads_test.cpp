#include "support/catch.hpp"
#include "support/fake_first_bytes.hpp"

#include <coppice/actors/awaited_heads.hpp>
#include <coppice/actors/balancer.hpp>
#include <coppice/runtime/limits.hpp>
#include <fcntl.h>

using namespace coppice;

namespace {

const std::string no_cookie = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string with_cookie = "GET / HTTP/1.1\r\nCookie: c=blue\r\n\r\n";

struct waiting_room {
  test::fake_first_bytes bytes;
  std::deque<accepted_socket> out;
  awaited_heads heads{bytes, {head_key::kind::cookie, "c"}};

  waiting_room() {
    bytes.tell([this](const std::vector<first_bytes_news>& news) { heads.on_news(news, out); });
  }
  /// A client connects, with this in its socket already.
  int client(const std::string& sent = {}) {
    os::unique_fd socket{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = socket.get();
    bytes.come(number, sent);
    heads.add({0, std::move(socket)}, out);
    return number;
  }
  [[nodiscard]] bool is_out(int socket) const {
    return out.size() == 1 && out[0].socket.get() == socket && heads.size() == 0 &&
           bytes.watched() == 0;
  }
};

bool is_open(int socket) { return ::fcntl(socket, F_GETFD) != -1; }

} // namespace

TEST_CASE("who has sent its head before it is accepted does not wait") {
  waiting_room room;
  const int client = room.client(with_cookie);
  REQUIRE(room.is_out(client));
  CHECK(room.out[0].affinity == affinity_of("blue"));
}

TEST_CASE("a head is awaited as it comes, and goes out as soon as it says enough") {
  waiting_room room;
  const int client = room.client("GET / HT");
  room.bytes.come(client, "TP/1.1\r\nCookie: c=blue");
  CHECK(room.out.empty());
  room.bytes.come(client, "\r\nAcc");
  REQUIRE(room.is_out(client));
  CHECK(room.out[0].affinity == affinity_of("blue"));
}

TEST_CASE("a head without the cookie, and what is no head, goes out without an affinity") {
  for (const auto& sent : {no_cookie, std::string{"\x16\x03\x01"}}) {
    waiting_room room;
    const int client = room.client();
    CHECK(room.heads.size() == 1);
    room.bytes.come(client, sent);
    REQUIRE(room.is_out(client));
    CHECK(room.out[0].affinity == 0);
  }
}

TEST_CASE("a client that leaves without a byte is closed and forgotten") {
  waiting_room room;
  const int client = room.client();
  room.bytes.end(client);
  CHECK(room.out.empty());
  CHECK(room.heads.size() == 0);
  CHECK(room.bytes.watched() == 0);
  CHECK_FALSE(is_open(client));
}

TEST_CASE("a client that ends in the middle of its head goes out as it is") {
  waiting_room room;
  const int client = room.client("GET /");
  room.bytes.end(client);
  CHECK(room.is_out(client));
}

TEST_CASE("a head that is too long, or comes in too many pieces, goes out without") {
  waiting_room room;
  const int client = room.client("GET / HTTP/1.1\r\nX: ");
  room.bytes.come(client, std::string(limits::first_bytes, 'x'));
  CHECK(room.is_out(client));

  waiting_room other;
  const int slow = other.client();
  for (std::size_t i = 2; i < limits::first_bytes_looks; ++i) other.bytes.come(slow, "x");
  CHECK(other.out.empty());
  other.bytes.come(slow, "x");
  CHECK(other.is_out(slow));
}

TEST_CASE("of too many that wait, the one that has waited longest goes out") {
  waiting_room room;
  std::vector<int> clients;
  for (std::size_t i = 0; i < limits::first_bytes_awaited; ++i) clients.push_back(room.client());
  CHECK(room.out.empty());
  room.client();
  room.client();
  REQUIRE(room.out.size() == 2);
  CHECK(room.out[0].socket.get() == clients[0]);
  CHECK(room.out[1].socket.get() == clients[1]);
  CHECK(room.heads.size() == limits::first_bytes_awaited);
}

TEST_CASE("those that came before a mark go out, with what they have said by then") {
  waiting_room room;
  const int first = room.client();
  const int second = room.client();
  const auto mark = room.heads.mark();
  const int third = room.client();
  room.bytes.come(second, with_cookie, true); // the news of it is still on its way
  room.heads.give_out_before(mark, room.out);
  REQUIRE(room.out.size() == 2);
  CHECK(room.out[0].socket.get() == first);
  CHECK(room.out[1].affinity == affinity_of("blue"));
  room.heads.on_news({{1, false}, {2, true}, {77, false}}, room.out); // late
  CHECK(room.out.size() == 2);
  room.heads.give_out_all(room.out);
  REQUIRE(room.out.size() == 3);
  CHECK(room.out[2].socket.get() == third);
}

TEST_CASE("what cannot be watched goes out at once") {
  waiting_room room;
  room.bytes.can_watch = false;
  const int client = room.client();
  CHECK(room.is_out(client));
}

TEST_CASE("at its end all are forgotten and closed") {
  waiting_room room;
  int client = -1;
  {
    std::deque<accepted_socket> none;
    awaited_heads heads{room.bytes, {head_key::kind::field, "X"}};
    os::unique_fd socket{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    client = socket.get();
    heads.add({0, std::move(socket)}, none);
    CHECK(room.bytes.watched() == 1);
  }
  CHECK(room.bytes.watched() == 0);
  CHECK_FALSE(is_open(client));
}
