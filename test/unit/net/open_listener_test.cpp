// Listening sockets of every kind, opened for real.
#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/temporary_directory.hpp"
#include "support/text.hpp"

#include <coppice/runtime/net/open_listener.hpp>
#include <coppice/runtime/net/unix_address.hpp>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coppice;
using namespace coppice::test;

namespace {

result<open_listener> listen_at(const std::string& text) {
  inherited_sockets none;
  return coppice::listen_at(parse_listen(text).value(), none);
}

/// A client; none if it is refused, or does not find room at once.
os::unique_fd visit(const std::string& text) {
  const auto address = unix_address_of(parse_endpoint(text).value());
  os::unique_fd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (::connect(client.get(), address.get(), address.size) != 0) client.reset();
  return client;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// Runs `act` in a child that is killed at the end of its life, and waits until it has acted.
pid_t in_killed_child(const std::function<bool()>& act) {
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool acted = act();
    (void)!::write(ready[1], acted ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE(answer == 'y');
  return child;
}

void kill_and_bury(pid_t child) {
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
}

} // namespace

TEST_CASE("a unix listener has a file while it lives, and its clients reach it", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  {
    const auto listening = listen_at("unix://" + path);
    REQUIRE(listening);
    CHECK(listening->name == "unix://" + path);
    CHECK_FALSE(listening->counted);
    CHECK((::fcntl(listening->socket.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(listening->socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(mode_of(path) == 0600);
    const auto client = visit("unix://" + path);
    REQUIRE(client);
    const auto accepted = accept_one(listening->socket.get());
    REQUIRE(accepted.kind == accept_kind::connection);
    CHECK(peer_address(accepted.socket.get()).value() == "unix:");
    CHECK_FALSE(peer_host(accepted.socket.get()));
  }
  CHECK_FALSE(exists(path));
  CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE("mode, owner and group of a socket's file are as they are asked for", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  const mode_t before = ::umask(077);
  const auto me = std::to_string(::geteuid());
  const auto listening = listen_at("unix://" + path + "?mode=0666&owner=" + me);
  ::umask(before);
  REQUIRE(listening);
  CHECK(mode_of(path) == 0666); // whatever the umask
  CHECK(listen_at("unix://" + in.file("b") + "?owner=no-such-user").error().message() ==
        "look up user no-such-user: there is no such user");
  CHECK(listen_at("unix://" + in.file("b") + "?group=no-such-group").error().message() ==
        "look up group no-such-group: there is no such group");
  CHECK_FALSE(exists(in.file("b"))); // nothing is left of a failure
  CHECK_FALSE(exists(in.file("b.lock")));
  if (::geteuid() != 0) return;
  const auto others = listen_at("unix://" + in.file("c") + "?owner=12345&group=54321&mode=0660");
  REQUIRE(others);
  struct stat found {};
  REQUIRE(::lstat(in.file("c").c_str(), &found) == 0);
  CHECK(found.st_uid == 12345);
  CHECK(found.st_gid == 54321);
}

TEST_CASE("a path that is served is refused, with who serves it", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  const auto first = listen_at("unix://" + path);
  REQUIRE(first);
  const auto second = listen_at("unix://" + path);
  REQUIRE_FALSE(second);
  CHECK(second.error().message() == "bind unix://" + path + ": process " +
                                        std::to_string(::getpid()) + " is serving it, and holds " +
                                        path + ".lock");
  CHECK(visit("unix://" + path)); // and it is there still
}

TEST_CASE("a path left by a process that was killed is taken over", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  const pid_t child = in_killed_child([&] {
    static auto kept = listen_at("unix://" + path);
    return kept.has_value();
  });
  const auto refused = listen_at("unix://" + path);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().message(), "process " + std::to_string(child) + " is serving it"));
  kill_and_bury(child);
  CHECK(exists(path));
  CHECK_FALSE(visit("unix://" + path));
  const auto taken = listen_at("unix://" + path);
  REQUIRE(taken);
  CHECK(visit("unix://" + path));
}

TEST_CASE("a socket that somebody serves without a lock is left alone", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  const auto address = unix_address_of(parse_endpoint("unix://" + path).value());
  os::unique_fd foreign{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(::bind(foreign.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(foreign.get(), 0) == 0);
  const auto refused = listen_at("unix://" + path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() ==
        "bind unix://" + path + ": process " + std::to_string(::getpid()) + " is serving it");
  // That visit is in its backlog, which is full now: one that takes no more clients lives, too.
  CHECK(has(listen_at("unix://" + path).error().message(), "is serving it"));
  CHECK(exists(path));
  foreign.reset();
  CHECK(listen_at("unix://" + path));
}

TEST_CASE("a file that is no socket is never removed", "[net]") {
  const temporary_directory in;
  const auto path = in.file("precious");
  os::unique_fd{::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  const auto refused = listen_at("unix://" + path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message() ==
        "bind unix://" + path + ": a file of this name is there, and no socket");
  CHECK(exists(path));
  REQUIRE(::symlink("/dev/null", in.file("link").c_str()) == 0);
  CHECK(has(listen_at("unix://" + in.file("link")).error().message(), "no socket"));
}

TEST_CASE("the file of whoever has come after is not removed", "[net]") {
  const temporary_directory in;
  const auto path = in.file("app.sock");
  const auto address = unix_address_of(parse_endpoint("unix://" + path).value());
  os::unique_fd foreign{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  {
    const auto listening = listen_at("unix://" + path);
    REQUIRE(listening);
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::bind(foreign.get(), address.get(), address.size) == 0);
  }
  CHECK(exists(path));
}

TEST_CASE("a directory that is not there is said", "[net]") {
  const temporary_directory in;
  const auto path = in.file("none/app.sock");
  CHECK(listen_at("unix://" + path).error().message() ==
        "open " + path + ".lock: No such file or directory");
}

TEST_CASE("an abstract name needs no file, and is one listener's", "[net]") {
  const auto name = "unix://@coppice-test-" + std::to_string(::getpid());
  {
    const auto listening = listen_at(name);
    REQUIRE(listening);
    CHECK(listening->name == name);
    CHECK(visit(name));
    CHECK(listen_at(name).error().message() ==
          "bind " + name + ": process " + std::to_string(::getpid()) + " is serving it");
  }
  CHECK(listen_at(name));
}

TEST_CASE("the options of a tcp listener reach its connections", "[net]") {
  const auto listening = listen_at("tcp://127.0.0.1:0?keepalive=60&defer_accept=2&fast_open=16");
  REQUIRE(listening);
  const int fd = listening->socket.get();
  CHECK(option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 16);
  CHECK(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 2);
  CHECK_FALSE(listening->counted);
  const auto client = connect_to(*local_endpoint(fd));
  send_all(client, "now it is seen");
  REQUIRE(await(fd, POLLIN));
  const auto accepted = accept_one(fd);
  REQUIRE(accepted.kind == accept_kind::connection);
  CHECK(option(accepted.socket.get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(option(accepted.socket.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(option(accepted.socket.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 60);
  CHECK(option(accepted.socket.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("without options a tcp listener is counted, and has none of them", "[net]") {
  const auto listening = listen_at("tcp://127.0.0.1:0?reuse_addr=false");
  REQUIRE(listening);
  CHECK(listening->counted);
  CHECK(option(listening->socket.get(), SOL_SOCKET, SO_REUSEADDR) == 0);
  CHECK(option(listening->socket.get(), SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(option(listening->socket.get(), IPPROTO_TCP, TCP_FASTOPEN) == 0);
}

// ---- inherited

TEST_CASE("an inherited descriptor is taken over if it is a listening stream socket", "[net]") {
  inherited_sockets none;
  const auto take = [&](int fd) {
    return coppice::listen_at(parse_listen("fd://" + std::to_string(fd)).value(), none);
  };
  auto own = listen_on({.host = "127.0.0.1", .port = 0});
  REQUIRE(own);
  const int fd = own->release();
  ::fcntl(fd, F_SETFD, 0);
  ::fcntl(fd, F_SETFL, 0);
  const auto taken = take(fd);
  REQUIRE(taken);
  CHECK(taken->socket.get() == fd);
  CHECK(taken->name == to_string(*local_endpoint(fd)));
  CHECK(taken->counted);
  CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(option(fd, SOL_SOCKET, SO_OOBINLINE) == 1);
  CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  const auto again = take(fd);
  REQUIRE_FALSE(again);
  CHECK(has(again.error().message(), "is listened on already"));
}

TEST_CASE("an inherited descriptor that is something else is called by its name", "[net]") {
  inherited_sockets none;
  const temporary_directory in;
  const auto refused = [&](os::unique_fd fd) {
    const auto number = std::to_string(fd.get());
    const auto taken = coppice::listen_at(parse_listen("fd://" + number).value(), none);
    REQUIRE_FALSE(taken);
    const auto begin = "take over fd://" + number + ": descriptor " + number + ": ";
    const auto said = taken.error().message();
    CHECK(said.substr(0, begin.size()) == begin);
    return said.substr(std::min(begin.size(), said.size()));
  };
  const auto opened = [](const char* path, int flags) {
    return os::unique_fd{::open(path, flags | O_CLOEXEC, 0600)};
  };
  const auto socket = [](int family, int type) {
    return os::unique_fd{::socket(family, type | SOCK_CLOEXEC, 0)};
  };
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  os::unique_fd write_end{ends[1]};
  CHECK(refused(opened(in.file("f").c_str(), O_CREAT | O_RDWR)) == "it is a file");
  CHECK(refused(opened(in.path().c_str(), O_DIRECTORY)) == "it is a directory");
  CHECK(refused(opened("/dev/null", O_RDONLY)) == "it is a device");
  CHECK(refused(os::unique_fd{ends[0]}) == "it is a pipe");
  CHECK(refused(socket(AF_INET, SOCK_DGRAM)) == "it is a datagram socket");
  CHECK(refused(socket(AF_UNIX, SOCK_SEQPACKET)) == "it is no stream socket");
  CHECK(refused(socket(AF_INET, SOCK_STREAM)) == "it is a socket that does not listen");
  CHECK(refused(make_tcp_pair().client) == "it is a socket that does not listen");
  const int free = ::dup(0);
  ::close(free);
  const auto nothing =
      coppice::listen_at(parse_listen("fd://" + std::to_string(free)).value(), none);
  REQUIRE_FALSE(nothing);
  CHECK(has(nothing.error().message(), "nothing is open there"));
}

TEST_CASE("an inherited socket with fast_open, or a unix one, is not counted", "[net]") {
  const auto counted = [](open_listener from) {
    inherited_sockets none;
    const auto taken = coppice::listen_at(
        parse_listen("fd://" + std::to_string(from.socket.release())).value(), none);
    REQUIRE(taken);
    return taken->counted;
  };
  CHECK(counted(listen_at("tcp://127.0.0.1:0").value()));
  CHECK_FALSE(counted(listen_at("tcp://127.0.0.1:0?fast_open=5").value()));
  CHECK_FALSE(
      counted(listen_at("unix://@coppice-inherited-" + std::to_string(::getpid())).value()));
}

TEST_CASE("names of LISTEN_FDS are looked up, and the variables are gone once read", "[net]") {
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "3", 1);
  ::setenv("LISTEN_FDNAMES", "web:twin:twin", 1);
  auto found = inherited_sockets::from_environment();
  REQUIRE(found);
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    CHECK(std::getenv(name) == nullptr);
  CHECK(found->names() == std::vector<std::string>{"web", "twin", "twin"});
  CHECK(found->left() == std::vector<std::string>{"3 (web)", "4 (twin)", "5 (twin)"});
  CHECK(found->take("other").error().message() ==
        "take over fd://other: LISTEN_FDNAMES has no socket of this name");
  CHECK(has(found->take("twin").error().message(), "say which by its number, as in fd://4"));
}
