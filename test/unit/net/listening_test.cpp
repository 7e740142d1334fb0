#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/text.hpp"

#include <coppice/runtime/net/listening_socket.hpp>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <vector>

using namespace coppice;
using namespace coppice::test;

namespace {

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

} // namespace

TEST_CASE("port 0 becomes a real port that can be asked for", "[net]") {
  const auto socket = listen_on({.host = "127.0.0.1", .port = 0});
  REQUIRE(socket);
  const auto where = local_endpoint(socket->get());
  REQUIRE(where);
  CHECK(where->host == "127.0.0.1");
  CHECK(where->port != 0);
}

TEST_CASE("an address in use is said with the endpoint and the reason", "[net]") {
  const auto first = listen_on({.host = "127.0.0.1", .port = 0});
  REQUIRE(first);
  const auto where = *local_endpoint(first->get());
  const auto second = listen_on(where);
  REQUIRE_FALSE(second);
  CHECK(second.error().message() == "bind " + to_string(where) + ": Address already in use");
}

TEST_CASE("an address of another machine cannot be bound, and a name that does not exist is said",
          "[net]") {
  const auto foreign = listen_on({.host = "192.0.2.1", .port = 0}); // RFC 5737
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().message() == "bind tcp://192.0.2.1:0: Cannot assign requested address");
  const auto nowhere = listen_on({.host = "no-such-host.invalid", .port = 1}); // RFC 2606
  REQUIRE_FALSE(nowhere);
  CHECK(has(nowhere.error().message(), "look up tcp://no-such-host.invalid:1: "));
}

TEST_CASE("an accepted connection is non-blocking, closed on exec, and without delay", "[net]") {
  const auto pair = make_tcp_pair();
  CHECK((::fcntl(pair.server.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(pair.server.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(option(pair.server.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("without nodelay the connections have none", "[net]") {
  const auto listening = listen_on({.host = "127.0.0.1"}, {.tcp_nodelay = false});
  REQUIRE(listening);
  const auto client = connect_to(*local_endpoint(listening->get()));
  REQUIRE(await(listening->get(), POLLIN));
  const auto accepted = accept_one(listening->get());
  REQUIRE(accepted.kind == accept_kind::connection);
  CHECK(option(accepted.socket.get(), IPPROTO_TCP, TCP_NODELAY) == 0);
}

TEST_CASE("accept says when nobody waits and when descriptors run out", "[net]") {
  const auto listening = listen_on({.host = "127.0.0.1"});
  REQUIRE(listening);
  CHECK(accept_one(listening->get()).kind == accept_kind::would_block);

  const auto client = connect_to(*local_endpoint(listening->get()));
  REQUIRE(await(listening->get(), POLLIN));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{3, before.rlim_max}; // 0, 1 and 2 are open
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto refused = accept_one(listening->get());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(refused.kind == accept_kind::exhausted);
  CHECK(refused.why == std::errc::too_many_files_open);
  CHECK(accept_one(listening->get()).kind == accept_kind::connection);
}

TEST_CASE("a closed or wrong descriptor is a failure, not a reason to try again", "[net]") {
  const os::unique_fd plain{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  CHECK(accept_one(plain.get()).kind == accept_kind::failed);
}

TEST_CASE("the peer of a connection is shown with its port", "[net]") {
  const auto pair = make_tcp_pair();
  const auto client = local_endpoint(pair.client.get());
  REQUIRE(client);
  CHECK(peer_address(pair.server.get()).value() == "127.0.0.1:" + std::to_string(client->port));
}

TEST_CASE("an IPv6 listener takes IPv4 clients unless it is told not to", "[net]") {
  const auto both = listen_on({.host = "::", .port = 0});
  if (!both) return; // this machine has no IPv6
  const auto client = connect_to(*local_endpoint(both->get()));
  REQUIRE(await(both->get(), POLLIN));
  const auto accepted = accept_one(both->get());
  REQUIRE(accepted.kind == accept_kind::connection);
  CHECK(has(peer_address(accepted.socket.get()).value(), "127.0.0.1:")); // not ::ffff:

  const auto only_six = listen_on({.host = "::", .port = 0}, {.v6_only = true});
  REQUIRE(only_six);
  CHECK(option(only_six->get(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
}
