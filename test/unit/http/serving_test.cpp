// http::serve in a real worker process, over loopback.
#include "support/played_primary.hpp"
#include "support/text.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <coppice/http/http.hpp>
#include <thread>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
}

/// An answer as the client reads it.
struct answer {
  std::string head, body;
  [[nodiscard]] std::string status() const { return head.substr(9, 3); }
};

/// The client's side of a connection.
class client {
public:
  explicit client(os::unique_fd socket) : socket_{std::move(socket)} {}

  void send(std::string_view bytes) { send_all(socket_, bytes); }

  /// One answer with a Content-Length; what follows it is kept for the next.
  answer read() {
    while (!has(pending_, "\r\n\r\n")) more();
    answer got;
    got.head = take(pending_.find("\r\n\r\n") + 4);
    const std::string name = "Content-Length: ";
    if (const auto at = got.head.find(name); at != std::string::npos) {
      const std::size_t size = std::stoul(got.head.substr(at + name.size()));
      while (pending_.size() < size) more();
      got.body = take(size);
    }
    return got;
  }
  std::string read_to_end() { return take(pending_.size()) + receive_to_end(socket_); }

  /// Reads an answer while another thread sends: a server that does not read cannot hang the test.
  answer read_while_sending(std::string_view bytes) {
    struct stopper {
      const os::unique_fd& socket;
      ~stopper() { ::shutdown(socket.get(), SHUT_RDWR); }
    };
    const std::jthread sender{[&, bytes]() mutable {
      while (!bytes.empty()) {
        const auto n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
      }
    }};
    const stopper stop{socket_};
    return read();
  }

  void end_output() { ::shutdown(socket_.get(), SHUT_WR); }

private:
  void more() {
    REQUIRE(await(socket_.get(), POLLIN));
    REQUIRE_FALSE(receive_some(socket_, pending_));
  }
  std::string take(std::size_t size) {
    std::string front = pending_.substr(0, size);
    pending_.erase(0, size);
    return front;
  }

  os::unique_fd socket_;
  std::string pending_;
};

client connect_narrowly(played_primary& primary) {
  auto pair = make_tcp_pair({.server_send = 4608, .client_receive = 4608, .server_receive = 4608});
  const int fd = pair.server.get();
  primary.say(wire::connections{{{1, 0}}}, {&fd, 1});
  return client{std::move(pair.client)};
}

http::response answer_simply(const http::request& r) {
  if (r.path() == "/throw") throw std::runtime_error{"no such table"};
  if (r.path() == "/big") return http::bytes(std::string(r.query_number("bytes").value_or(0), 'x'));
  if (r.path() == "/count") return http::text(std::to_string(r.body().size()));
  return http::text(std::string{r.method()} + " " + std::string{r.path()} + " " +
                    std::string{r.body()});
}

asio::awaitable<void> wait(std::chrono::milliseconds time) {
  asio::steady_timer timer{co_await asio::this_coro::executor, time};
  co_await timer.async_wait(asio::use_awaitable);
}

} // namespace

TEST_CASE("a worker serves keep-alive and pipelined requests") {
  played_primary primary{[](worker& self) { http::serve(self, answer_simply); }};
  primary.expect_start();
  client peer{primary.give_connection(1)};
  for (int i = 0; i < 3; ++i) {
    peer.send(get("/a"));
    CHECK(peer.read().body == "GET /a ");
  }
  peer.send(get("/b") + "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get("/d"));
  CHECK(peer.read().body == "GET /b ");
  CHECK(peer.read().body == "POST /c hi");
  CHECK(peer.read().body == "GET /d ");
  peer.send(get("/e", "Connection: close\r\n"));
  const std::string last = peer.read_to_end();
  CHECK(has(last, "Connection: close\r\n"));
  CHECK(last.ends_with("GET /e "));
}

TEST_CASE("large content goes both ways through small socket buffers") {
  played_primary primary{[](worker& self) { http::serve(self, answer_simply); }};
  primary.expect_start();
  client peer = connect_narrowly(primary);
  peer.send(get("/big?bytes=300000") + get("/big?bytes=70000"));
  CHECK(peer.read().body == std::string(300'000, 'x'));
  CHECK(peer.read().body == std::string(70'000, 'x'));
  const std::string body(60'000, 'y');
  const std::string request = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
  CHECK(peer.read_while_sending(request + body).body == "60000");
}

TEST_CASE("a client that sends what is refused still reads why") {
  played_primary primary{[](worker& self) { http::serve(self, answer_simply); }};
  primary.expect_start();
  client peer{primary.give_connection(1)};
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n";
  const answer got = peer.read_while_sending(head + std::string(4'000'000, 'x'));
  CHECK(got.status() == "413");
  CHECK(has(got.head, "Connection: close\r\n"));
}

TEST_CASE("a handler answers later by a callback, connections side by side") {
  played_primary primary{[](worker& self) {
    http::serve(self, [&self](http::request r, http::responder answer) {
      auto timer = std::make_shared<asio::steady_timer>(
          self.context(), std::chrono::milliseconds{*r.query_number("ms")});
      timer->async_wait(
          [timer, r = std::move(r), answer = std::move(answer)](std::error_code) mutable {
            answer.send(http::text(std::string{r.path()}));
          });
    });
  }};
  primary.expect_start();
  client slow{primary.give_connection(1)}, fast{primary.give_connection(2)};
  slow.send(get("/slow?ms=300") + get("/next?ms=0"));
  fast.send(get("/fast?ms=0"));
  CHECK(fast.read().body == "/fast");
  CHECK(slow.read().body == "/slow");
  CHECK(slow.read().body == "/next");
}

TEST_CASE("a handler is a coroutine, whatever it takes the request by") {
  const auto by_value = [](http::request r) -> asio::awaitable<http::response> {
    co_await wait(5ms);
    if (r.path() == "/throw") throw std::runtime_error{"in a coroutine"};
    co_return http::text(std::string{r.path()} + std::string{r.body()});
  };
  const auto by_reference = [](const http::request& r) -> asio::awaitable<http::response> {
    co_await wait(5ms);
    if (r.path() == "/throw") throw std::runtime_error{"in a coroutine"};
    co_return http::text(std::string{r.path()} + std::string{r.body()});
  };
  const auto check = [](const worker_body& body) {
    played_primary primary{body};
    primary.expect_start();
    client peer{primary.give_connection(1)};
    peer.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get("/b"));
    CHECK(peer.read().body == "/ahi");
    CHECK(peer.read().body == "/b");
    peer.send(get("/throw"));
    CHECK(peer.read().status() == "500");
    CHECK(has(primary.expect<wire::retire>().reason, "in a coroutine"));
  };
  check([&](worker& self) { http::serve(self, by_value); });
  check([&](worker& self) { http::serve(self, by_reference); });
}

TEST_CASE("a coroutine streams as fast as its client reads") {
  played_primary primary{[](worker& self) {
    http::serve(self, [&self](http::request r, http::responder answer) {
      const auto count = r.query_number("pieces").value_or(0);
      asio::co_spawn(
          self.get_executor(),
          [](http::responder a, std::uint64_t n) -> asio::awaitable<void> {
            auto stream = a.stream(http::text(""), n * 10'000);
            for (std::uint64_t i = 0; i < n; ++i)
              co_await stream.async_write(std::string(10'000, static_cast<char>('a' + i % 26)),
                                          asio::use_awaitable);
            stream.finish();
          }(std::move(answer), count),
          asio::detached);
    });
  }};
  primary.expect_start();
  client peer = connect_narrowly(primary);
  peer.send(get("/?pieces=200") + get("/?pieces=1"));
  std::string wanted;
  for (int i = 0; i < 200; ++i) wanted += std::string(10'000, static_cast<char>('a' + i % 26));
  CHECK((peer.read().body == wanted));
  CHECK(peer.read().body == std::string(10'000, 'a'));
}

TEST_CASE("an exception answers 500 and has the worker replaced, which serves on meanwhile") {
  played_primary primary{[](worker& self) { http::serve(self, answer_simply); }};
  primary.expect_start();
  client peer{primary.give_connection(1)};
  peer.send(get("/throw"));
  const answer got = peer.read();
  CHECK(got.status() == "500");
  CHECK_FALSE(has(got.body, "table"));
  const auto wish = primary.expect<wire::retire>();
  CHECK(wish.failed);
  CHECK(has(wish.reason, "no such table"));
  client other{primary.give_connection(2)};
  other.send(get("/a"));
  CHECK(other.read().body == "GET /a ");
  primary.say(wire::drain{1000});
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("an exception does not cost the worker its place if the options say so") {
  played_primary primary{[](worker& self) {
    http::options choices;
    choices.fail_on_exception = false;
    http::serve(self, answer_simply, choices);
  }};
  primary.expect_start();
  client peer{primary.give_connection(1)};
  peer.send(get("/throw") + get("/a"));
  CHECK(peer.read().status() == "500");
  CHECK(peer.read().body == "GET /a ");
}

TEST_CASE("a drain closes idle connections, lets a request in progress finish, and ends the worker "
          "well") {
  played_primary primary{[](worker& self) {
    http::serve(self, [&self](http::request r, http::responder answer) {
      if (r.path() == "/fast") return answer.send(http::text("fast"));
      auto timer = std::make_shared<asio::steady_timer>(self.context(), 300ms);
      timer->async_wait([timer, answer = std::move(answer)](std::error_code) mutable {
        answer.send(http::text("slow"));
      });
    });
  }};
  primary.expect_start();
  client idle{primary.give_connection(1)}, busy{primary.give_connection(2)};
  idle.send(get("/fast"));
  CHECK(idle.read().body == "fast");
  busy.send(get("/slow"));
  idle.send(get("/fast")); // once this is answered, the other is in the works
  CHECK(idle.read().body == "fast");
  primary.say(wire::drain{10'000});
  CHECK(idle.read_to_end().empty());
  const std::string last = busy.read_to_end();
  CHECK(has(last, "Connection: close\r\n"));
  CHECK(last.ends_with("slow"));
  idle.end_output();
  busy.end_output();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a connection that is idle for its time is closed") {
  played_primary primary{[](worker& self) {
    http::options choices;
    choices.idle_timeout = 50ms;
    choices.head_timeout = 50ms;
    http::serve(self, answer_simply, choices);
  }};
  primary.expect_start();
  client silent{primary.give_connection(1)}, slow{primary.give_connection(2)};
  slow.send("GET / HT");
  CHECK(silent.read_to_end().empty());
  CHECK(slow.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a client that ends its side still gets its answers") {
  played_primary primary{[](worker& self) { http::serve(self, answer_simply); }};
  primary.expect_start();
  client peer{primary.give_connection(1)};
  peer.send(get("/a") + get("/b"));
  peer.end_output();
  const std::string all = peer.read_to_end();
  CHECK(has(all, "GET /a "));
  CHECK(all.ends_with("GET /b "));
}
