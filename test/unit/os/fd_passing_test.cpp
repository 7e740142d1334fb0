#include "processes.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/socket_pair.hpp>

#include <array>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <vector>

namespace coppice::os {
namespace {

std::span<const std::byte> raw(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

struct pair_and_buffer {
  fd_pair pair = *seqpacket_pair();
  std::array<std::byte, 64> buffer{};
  std::vector<unique_fd> fds;

  received receive() { return receive_with_fds(pair.ours.get(), buffer, fds); }
  std::string receive_text() {
    const auto got = receive();
    REQUIRE(got.status == io_status::done);
    return {reinterpret_cast<const char*>(buffer.data()), got.bytes};
  }
  void peer_sends(std::string_view text, std::span<const int> with = {}) {
    const auto sent = send_with_fds(pair.theirs.get(), raw(text), with);
    REQUIRE(sent.status == io_status::done);
    REQUIRE(sent.bytes == text.size());
  }
};

ino_t file_of(int fd) {
  struct stat found {};
  REQUIRE(::fstat(fd, &found) == 0);
  return found.st_ino;
}

/// As send_with_fds, but without its limit.
void send_too_many(int socket, std::size_t count, int fd) {
  std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
  char byte = 'x';
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(count * sizeof(int));
  const std::vector<int> fds(count, fd);
  std::memcpy(CMSG_DATA(part), fds.data(), count * sizeof(int));
  REQUIRE(::sendmsg(socket, &message, 0) == 1);
}

} // namespace

TEST_CASE("descriptors arrive with their packet, in order, and are closed on exec") {
  pair_and_buffer it;
  const auto one = *sealed_memfd("one", 1);
  const auto two = *sealed_memfd("two", 1);
  it.peer_sends("none");
  it.peer_sends("both", std::array{one.get(), two.get()});

  CHECK(it.receive_text() == "none");
  CHECK(it.fds.empty());
  CHECK(it.receive_text() == "both");
  REQUIRE(it.fds.size() == 2);
  CHECK(file_of(it.fds[0].get()) == file_of(one.get()));
  CHECK(file_of(it.fds[1].get()) == file_of(two.get()));
  for (const auto& fd : it.fds) CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("as many descriptors as the limit says arrive") {
  pair_and_buffer it;
  const std::vector<int> many(limits::control_fds, it.pair.ours.get());
  it.peer_sends("many", many);
  CHECK(it.receive_text() == "many");
  CHECK(it.fds.size() == limits::control_fds);
}

TEST_CASE("more descriptors than the limit are an error, and none of them leaks") {
  pair_and_buffer it;
  const auto before = open_descriptors();
  send_too_many(it.pair.theirs.get(), limits::control_fds + 1, it.pair.ours.get());
  const auto got = it.receive();
  CHECK(got.status == io_status::done);
  CHECK(got.truncated_fds);
  CHECK(it.fds.empty());
  CHECK(open_descriptors() == before);
}

TEST_CASE("a receiver that is out of descriptors is told, and keeps none of the packet's") {
  pair_and_buffer it;
  it.peer_sends("two", std::array{it.pair.ours.get(), it.pair.ours.get()});
  const int code = test::code_of_child([&] {
    const auto before = open_descriptors();
    // Room for one of the two.
    const rlimit limit{rlim_t(before.back()) + 2, rlim_t(before.back()) + 2};
    int gap = 0;
    for (int fd = 0; fd < before.back(); ++fd)
      if (::fcntl(fd, F_GETFD) < 0) gap = ::dup(0); // fill the holes
    (void)gap;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    const auto filled = open_descriptors();
    const auto got = it.receive();
    if (got.status != io_status::done || !got.truncated_fds) return 2;
    if (!it.fds.empty()) return 3;
    return open_descriptors() == filled ? 0 : 4;
  });
  CHECK(code == 0);
}

TEST_CASE("descriptors that were there before a truncated packet stay") {
  pair_and_buffer it;
  it.fds.push_back(*duplicate(it.pair.ours.get()));
  send_too_many(it.pair.theirs.get(), limits::control_fds + 1, it.pair.ours.get());
  CHECK(it.receive().truncated_fds);
  CHECK(it.fds.size() == 1);
}

TEST_CASE("a packet longer than the buffer is told as truncated") {
  pair_and_buffer it;
  it.peer_sends(std::string(65, 'x'));
  const auto got = it.receive();
  CHECK(got.truncated_bytes);
  CHECK_FALSE(got.truncated_fds);
}

TEST_CASE("nothing to receive would block, whatever the socket's flags") {
  pair_and_buffer it;
  ::fcntl(it.pair.ours.get(), F_SETFL, 0);
  CHECK(it.receive().status == io_status::would_block);
}

TEST_CASE("a dead peer's ECONNRESET hides none of the packets it sent before") {
  pair_and_buffer it;
  // What the peer never read makes the kernel report a reset.
  REQUIRE(send_with_fds(it.pair.ours.get(), raw("unread"), {}).status == io_status::done);
  it.peer_sends("first");
  it.peer_sends("second", std::array{it.pair.ours.get()});
  it.pair.theirs.reset();

  SECTION("the kernel reports it first") {
    char byte = 0;
    CHECK(::recv(it.pair.ours.get(), &byte, 1, MSG_DONTWAIT) == -1);
    CHECK(errno == ECONNRESET);
  }
  CHECK(it.receive_text() == "first");
  CHECK(it.receive_text() == "second");
  CHECK(it.fds.size() == 1);
  CHECK(it.receive().status == io_status::closed);
}

TEST_CASE("a full socket would block, and a peer that is gone is closed") {
  pair_and_buffer it;
  const std::string packet(1000, 'x');
  auto sent = send_with_fds(it.pair.ours.get(), raw(packet), {});
  while (sent.status == io_status::done) sent = send_with_fds(it.pair.ours.get(), raw(packet), {});
  CHECK(sent.status == io_status::would_block);
  CHECK(sent.error == EAGAIN);
  it.pair.theirs.reset();
  sent = send_with_fds(it.pair.ours.get(), raw(packet), {});
  CHECK(sent.status == io_status::closed);
}

TEST_CASE("an empty packet, which would read as the end, is refused") {
  pair_and_buffer it;
  const auto sent = send_with_fds(it.pair.ours.get(), {}, {});
  CHECK(sent.status == io_status::failed);
  CHECK(sent.error == EINVAL);
}

TEST_CASE("too many descriptors in flight would block") {
  if (::geteuid() != 0) return; // the limit is per user, and only root can become another one
  const int code = test::code_of_child([] {
    auto pair = *seqpacket_pair();
    const rlimit limit{20, 20};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || ::setresuid(65534, 65534, 65534) != 0) return 1;
    const std::vector<int> many(limits::control_fds, pair.ours.get());
    for (int n = 0; n < 50; ++n) {
      const auto sent = send_with_fds(pair.ours.get(), raw("x"), many);
      if (sent.status == io_status::would_block) return sent.error == ETOOMANYREFS ? 0 : 2;
      if (sent.status != io_status::done) return 3;
    }
    return 4;
  });
  CHECK(code == 0);
}

TEST_CASE("a stream takes what it has room for") {
  auto pair = *stream_pair();
  const std::string much(8'000'000, 'x');
  const auto sent = send_with_fds(pair.ours.get(), raw(much), {});
  CHECK(sent.status == io_status::done);
  CHECK(sent.bytes > 0);
  CHECK(sent.bytes < much.size());
}

} // namespace coppice::os
