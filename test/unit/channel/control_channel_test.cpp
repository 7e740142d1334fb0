#include "loop_fixture.hpp"

#include <coppice/runtime/channel/control_channel.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/socket_pair.hpp>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coppice {
namespace {

using namespace channel_test;

struct recorder : control_channel::handler {
  std::vector<std::string> packets;
  std::vector<std::vector<os::unique_fd>> fds;
  std::optional<error> closed;
  std::function<void()> then_on_packet = [] {};
  std::function<void()> then_on_closed = [] {};

  void on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> with) override {
    packets.push_back(text(packet));
    fds.push_back(std::move(with));
    then_on_packet();
  }
  void on_closed(const error& why) override {
    REQUIRE_FALSE(closed);
    closed = why;
    then_on_closed();
  }
};

// One end is a channel, the other a bare socket.
struct channel_and_socket : loop_fixture {
  os::fd_pair pair = *os::seqpacket_pair();
  os::unique_fd peer = std::move(pair.theirs);
  recorder got;
  std::unique_ptr<control_channel> channel =
      std::make_unique<control_channel>(loop, std::move(pair.ours));

  void peer_sends(std::string_view packet, std::span<const int> fds = {}) {
    REQUIRE(os::send_with_fds(peer.get(), raw(packet), fds).status == os::io_status::done);
  }
};

// The file that stands behind a descriptor.
ino_t file_of(int fd) {
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

os::unique_fd some_file() {
  os::unique_fd fd{::memfd_create("some-file", MFD_CLOEXEC)};
  REQUIRE(fd);
  return fd;
}

TEST_CASE_METHOD(channel_and_socket, "packets arrive whole and in order") {
  channel->start(got);
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) sent.push_back("packet " + std::to_string(i));
  for (const auto& packet : sent) peer_sends(packet);
  run_until([&] { return got.packets.size() == sent.size(); });
  CHECK(got.packets == sent);
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket, "two channels talk both ways") {
  recorder other_got;
  control_channel other{loop, std::move(peer)};
  channel->start(got);
  other.start(other_got);
  other_got.then_on_packet = [&] { other.send(raw("pong")); };
  channel->send(raw("ping"));
  run_until([&] { return !got.packets.empty(); });
  CHECK(other_got.packets == std::vector<std::string>{"ping"});
  CHECK(got.packets == std::vector<std::string>{"pong"});
}

TEST_CASE_METHOD(channel_and_socket, "descriptors come with their packet, and close on exec") {
  channel->start(got);
  const auto one = some_file();
  const auto two = some_file();
  peer_sends("none");
  peer_sends("one", std::array{one.get()});
  peer_sends("two", std::array{two.get(), one.get()});
  run_until([&] { return got.packets.size() == 3; });
  CHECK(got.fds[0].empty());
  REQUIRE(got.fds[1].size() == 1);
  CHECK(file_of(got.fds[1][0].get()) == file_of(one.get()));
  CHECK((::fcntl(got.fds[1][0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(got.fds[2].size() == 2);
  CHECK(file_of(got.fds[2][0].get()) == file_of(two.get()));
  CHECK(file_of(got.fds[2][1].get()) == file_of(one.get()));
}

TEST_CASE_METHOD(channel_and_socket, "as many descriptors as the limit says come with one packet") {
  channel->start(got);
  const auto file = some_file();
  const std::vector<int> many(limits::control_fds, file.get());
  peer_sends("many", many);
  run_until([&] { return got.packets.size() == 1; });
  CHECK(got.fds[0].size() == limits::control_fds);
}

TEST_CASE_METHOD(channel_and_socket, "a packet as long as the limit arrives") {
  channel->start(got);
  const std::string longest(limits::control_packet, 'x');
  peer_sends(longest);
  run_until([&] { return got.packets.size() == 1; });
  CHECK(got.packets[0] == longest);
}

TEST_CASE_METHOD(
    channel_and_socket,
    "what the socket has no room for waits with its descriptors, and leaves in order") {
  channel->start(got);
  std::vector<std::string> sent;
  std::vector<ino_t> files;
  const std::string filler(1000, 'x');
  for (int i = 0; i < 700; ++i) {
    const auto file = some_file(); // closed here: the channel keeps its own duplicate
    files.push_back(file_of(file.get()));
    sent.push_back(std::to_string(i) + filler);
    REQUIRE(channel->send(raw(sent.back()), std::array{file.get()}));
  }
  CHECK(channel->queued() > 0);

  recorder other_got;
  control_channel other{loop, std::move(peer)};
  other.start(other_got);
  run_until([&] { return other_got.packets.size() == sent.size(); });
  CHECK(other_got.packets == sent);
  for (std::size_t i = 0; i < files.size(); ++i) {
    REQUIRE(other_got.fds[i].size() == 1);
    REQUIRE(file_of(other_got.fds[i][0].get()) == files[i]);
  }
  CHECK(channel->queued() == 0);
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket,
                 "a full queue ends the channel, in a later round of the loop") {
  channel->start(got);
  const std::string packet(1000, 'x');
  std::size_t sent = 0;
  while (channel->send(raw(packet))) REQUIRE(++sent < 100'000);
  CHECK(sent > limits::control_queue);
  CHECK_FALSE(got.closed);
  CHECK_FALSE(channel->send(raw(packet)));
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.closed->message() ==
        "send control: the other side does not read, and the queue is full");
  CHECK(channel->queued() == 0);
}

TEST_CASE_METHOD(channel_and_socket,
                 "a packet that breaks the limits ends the channel that sends it") {
  const auto file = some_file();
  SECTION("too long") {
    CHECK_FALSE(channel->send(raw(std::string(limits::control_packet + 1, 'x'))));
  }
  SECTION("empty: it would read as an end") { CHECK_FALSE(channel->send({})); }
  SECTION("too many descriptors") {
    CHECK_FALSE(channel->send(raw("x"), std::vector<int>(limits::control_fds + 1, file.get())));
  }
  channel->start(got); // told also if it started later
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.closed->message() == "send control: a packet breaks the limits");
}

TEST_CASE_METHOD(channel_and_socket, "the other side's end is told after its last packet") {
  channel->start(got);
  peer_sends("last");
  peer.reset();
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.packets == std::vector<std::string>{"last"});
  CHECK(got.closed->verb == "closed");
  CHECK_FALSE(channel->send(raw("too late")));
}

TEST_CASE_METHOD(channel_and_socket, "a reset hides no packet that was sent before it") {
  REQUIRE(channel->send(raw("never read"))); // this makes the peer's close a reset
  for (const auto* packet : {"one", "two", "three"}) peer_sends(packet);
  peer.reset();
  SECTION("found when reading") { channel->start(got); }
  SECTION("found when sending") {
    channel->start(got);
    CHECK_FALSE(channel->send(raw("x")));
    CHECK(got.packets.empty()); // nothing is called from inside send
  }
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.packets == std::vector<std::string>{"one", "two", "three"});
  CHECK(got.closed->verb == "closed");
}

TEST_CASE_METHOD(channel_and_socket,
                 "packets from a peer that no longer reads are given out first") {
  channel->start(got);
  peer_sends("one");
  REQUIRE(::shutdown(peer.get(), SHUT_RD) == 0);
  CHECK_FALSE(channel->send(raw("x")));
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.packets == std::vector<std::string>{"one"});
}

TEST_CASE_METHOD(channel_and_socket, "a packet above the limit ends the channel") {
  channel->start(got);
  peer_sends("good");
  peer_sends(std::string(limits::control_packet + 1, 'x'));
  peer_sends("after");
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.packets == std::vector<std::string>{"good"});
  CHECK(got.closed->message() == "receive control: a packet is longer than the limit");
}

TEST_CASE_METHOD(channel_and_socket, "an empty packet ends the channel") {
  channel->start(got);
  REQUIRE(::send(peer.get(), "", 0, MSG_NOSIGNAL) == 0);
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.packets.empty());
}

// Sends one byte and `count` duplicates of `fd`, whatever the project's limits are.
void send_many(int socket, int fd, std::size_t count) {
  std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
  char byte = 'x';
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(CMSG_DATA(head) + i * sizeof fd, &fd, sizeof fd);
  REQUIRE(::sendmsg(socket, &message, MSG_NOSIGNAL) == 1);
}

TEST_CASE_METHOD(
    channel_and_socket,
    "a packet whose descriptors are lost on the way comes without any, and none leaks") {
  channel->start(got);
  const auto file = some_file();
  const auto before = open_descriptors();
  SECTION("more were sent than the limit") {
    send_many(peer.get(), file.get(), 253);
    run_until([&] { return !got.packets.empty(); });
  }
  SECTION("none was free here") {
    send_many(peer.get(), file.get(), 3);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    // The lowest free number: none but it may be used.
    const auto lowest = os::duplicate(file.get())->get();
    const rlimit tight{static_cast<rlim_t>(lowest) + 1, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    run_until([&] { return !got.packets.empty(); });
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
  }
  REQUIRE(got.fds.size() == 1);
  CHECK(got.fds[0].empty());
  CHECK_FALSE(got.closed); // what follows still arrives
  CHECK(open_descriptors() == before);
}

TEST_CASE_METHOD(channel_and_socket,
                 "a packet that cannot be kept for want of descriptors is refused") {
  channel->start(got);
  const std::string filler(1000, 'x');
  while (channel->queued() == 0) REQUIRE(channel->send(raw(filler)));
  const auto file = some_file();
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  const rlimit none{0, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto with = channel->send(raw("x"), std::array{file.get()});
  const auto without = channel->send(raw("x"));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
  CHECK_FALSE(with);
  CHECK(without);
  run_what_is_ready();
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket, "a channel may be destroyed in its own callbacks") {
  channel->start(got);
  peer_sends("one");
  peer_sends("two");
  SECTION("on a packet, with more to come") {
    got.then_on_packet = [&] { channel.reset(); };
    run_until([&] { return channel == nullptr; });
    CHECK(got.packets == std::vector<std::string>{"one"});
  }
  SECTION("on a packet, with output waiting") {
    while (channel->queued() == 0) REQUIRE(channel->send(raw(std::string(1000, 'x'))));
    got.then_on_packet = [&] { channel.reset(); };
    run_until([&] { return channel == nullptr; });
  }
  SECTION("at the end") {
    peer.reset();
    got.then_on_closed = [&] { channel.reset(); };
    run_until([&] { return channel == nullptr; });
    CHECK(got.packets.size() == 2);
  }
  SECTION("while it is drained") {
    got.then_on_packet = [&] { channel.reset(); };
    channel->drain_now();
    CHECK(channel == nullptr);
    CHECK(got.packets == std::vector<std::string>{"one"});
  }
  run_what_is_ready();
  CHECK(got.packets.size() <= 2);
}

TEST_CASE_METHOD(channel_and_socket, "a channel destroyed after a failed send calls nobody") {
  channel->start(got);
  CHECK_FALSE(channel->send({}));
  channel.reset();
  run_what_is_ready();
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket,
                 "a closed channel calls nobody, and the other side sees the end") {
  channel->start(got);
  peer_sends("one");
  SECTION("closed at once") {
    channel->close();
    channel->close();
    run_what_is_ready();
    CHECK(got.packets.empty());
  }
  SECTION("closed on a packet") {
    peer_sends("two");
    got.then_on_packet = [&] { channel->close(); };
    run_until([&] { return !got.packets.empty(); });
    run_what_is_ready();
    CHECK(got.packets == std::vector<std::string>{"one"});
  }
  CHECK_FALSE(got.closed);
  CHECK_FALSE(channel->send(raw("x")));
  CHECK(channel->queued() == 0);
  std::byte byte{};
  std::vector<os::unique_fd> fds;
  CHECK(os::receive_with_fds(peer.get(), {&byte, 1}, fds).status == os::io_status::closed);
}

TEST_CASE_METHOD(channel_and_socket,
                 "draining gives out what is there, whoever holds the other side") {
  channel->start(got);
  const auto file = some_file();
  peer_sends("one");
  peer_sends("two", std::array{file.get()});
  channel->drain_now(); // the peer's end is still open
  CHECK(got.packets == std::vector<std::string>{"one", "two"});
  CHECK(got.fds[1].size() == 1);
  run_what_is_ready();
  CHECK_FALSE(got.closed);
  CHECK(::send(peer.get(), "x", 1, MSG_NOSIGNAL) < 0);
}

TEST_CASE_METHOD(channel_and_socket, "draining ends though somebody goes on writing") {
  channel->start(got);
  peer_sends("x");
  got.then_on_packet = [&] { peer_sends("x"); };
  channel->drain_now();
  CHECK(got.packets.size() == limits::control_drain);
}

TEST_CASE_METHOD(loop_fixture, "what a killed process sent is drained though its child lives on") {
  auto pair = *os::seqpacket_pair();
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    pair.ours.reset();
    const auto grandchild = ::fork(); // holds a copy of the channel's end
    if (grandchild == 0) {
      ::alarm(60);
      for (;;) ::pause();
    }
    const auto pid = std::to_string(grandchild);
    (void)os::send_with_fds(pair.theirs.get(), raw(pid), {});
    (void)os::send_with_fds(pair.theirs.get(), raw("last words"), {});
    ::kill(::getpid(), SIGKILL);
  }
  pair.theirs.reset();
  recorder got;
  control_channel channel{loop, std::move(pair.ours)};
  channel.start(got);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  channel.drain_now();
  REQUIRE(got.packets.size() == 2);
  CHECK(got.packets[1] == "last words");
  CHECK(::kill(std::stoi(got.packets[0]), SIGKILL) == 0);
}

TEST_CASE_METHOD(loop_fixture,
                 "too many descriptors in flight make a packet wait without spinning") {
  // The limit binds only users without privileges, so a child without them tries it.
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto must = [](bool good, int code) {
      if (!good) ::_exit(code);
    };
    must(::getuid() != 0 || ::setresuid(65534, 65534, 65534) == 0, 2);
    const rlimit few{64, 64};
    must(::setrlimit(RLIMIT_NOFILE, &few) == 0, 3);
    asio::io_context here;
    auto pair = *os::seqpacket_pair();
    recorder got;
    control_channel channel{here, std::move(pair.ours)};
    channel.start(got);
    const os::unique_fd file{::memfd_create("f", MFD_CLOEXEC)};
    const std::vector<int> fds(8, file.get());
    std::size_t sent = 0;
    for (; channel.queued() == 0 && sent < 100; ++sent) must(channel.send(raw("x"), fds), 4);
    must(channel.queued() == 1 && sent < 20, 5);
    // The socket is writable all that time; the loop must not turn for it.
    const auto rounds = here.run_for(200ms);
    must(rounds < 60, 6);
    must(!got.closed, 7);
    for (std::size_t received = 0; received < sent;) {
      std::byte byte{};
      std::vector<os::unique_fd> with;
      const auto one = os::receive_with_fds(pair.theirs.get(), {&byte, 1}, with);
      if (one.status == os::io_status::done) {
        must(with.size() == fds.size(), 8);
        ++received;
      } else {
        must(one.status == os::io_status::would_block, 9);
        here.restart();
        must(here.run_one_for(10s) > 0, 10);
      }
    }
    ::_exit(channel.queued() == 0 ? 0 : 11);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

} // namespace
} // namespace coppice
