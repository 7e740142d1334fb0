#include "support/catch.hpp"
#include "support/text.hpp"

#include <coppice/runtime/net/endpoint.hpp>
#include <coppice/runtime/net/listening_socket.hpp>

#include <cerrno>
#include <string>
#include <string_view>

using namespace coppice;
using namespace coppice::test;

TEST_CASE("an endpoint is read as it is written", "[net]") {
  struct row {
    std::string_view text;
    std::string_view host;
    unsigned port;
  };
  const row rows[] = {
      {"tcp://127.0.0.1:8080", "127.0.0.1", 8080},
      {"tcp://0.0.0.0:0", "0.0.0.0", 0},
      {"tcp://[::1]:0", "::1", 0},
      {"tcp://[::]:65535", "::", 65535},
      {"tcp://[fe80::1%eth0]:80", "fe80::1%eth0", 80},
      {"tcp://localhost:1", "localhost", 1},
      {"tcp://my-host.example:443", "my-host.example", 443},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto where = parse_endpoint(row.text);
    REQUIRE(where);
    CHECK(where->kind == endpoint_kind::tcp);
    CHECK(where->host == row.host);
    CHECK(where->port == row.port);
    CHECK(to_string(*where) == row.text);
  }
}

TEST_CASE("a udp endpoint is written as a tcp one", "[net]") {
  const auto where = parse_endpoint("udp://[::1]:53");
  REQUIRE(where);
  CHECK(*where == endpoint{endpoint_kind::udp, "::1", 53, {}});
  CHECK(to_string(*where) == "udp://[::1]:53");
  CHECK(is_chosen_by_kernel(parse_endpoint("udp://0.0.0.0:0").value()));
}

TEST_CASE("unix sockets and inherited ones are endpoints, too", "[net]") {
  using enum endpoint_kind;
  struct row {
    std::string_view text;
    endpoint_kind kind;
    std::string_view name;
  };
  const row rows[] = {
      {"unix:///run/app.sock", unix_path, "/run/app.sock"},
      {"unix:///a:b@c", unix_path, "/a:b@c"},
      {"unix://@app", unix_abstract, "app"},
      {"unix://@/run/app", unix_abstract, "/run/app"},
      {"fd://3", inherited, "3"},
      {"fd://web", inherited, "web"},
      {"fd://3web", inherited, "3web"},
      {"fd://app.socket", inherited, "app.socket"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto where = parse_endpoint(row.text);
    REQUIRE(where);
    CHECK(where->kind == row.kind);
    CHECK(where->name == row.name);
    CHECK(where->host == "");
    CHECK(where->port == 0);
    CHECK(to_string(*where) == row.text);
    CHECK_FALSE(is_chosen_by_kernel(*where));
  }
  CHECK(to_string(parse_endpoint("fd://003").value()) == "fd://3");
  CHECK(parse_endpoint("unix:///" + std::string(106, 'x')));
  CHECK(parse_endpoint("unix://@" + std::string(107, 'x')));
}

TEST_CASE("a text that is no endpoint is refused with what to write instead", "[net]") {
  struct row {
    std::string_view text;
    std::string_view reason;
  };
  const row rows[] = {
      {"", "must begin with tcp://, udp://, unix:// or fd://"},
      {"127.0.0.1:8080", "must begin with tcp://, udp://, unix:// or fd://"},
      {"tcp:/127.0.0.1:8080", "must begin with tcp://, udp://, unix:// or fd://"},
      {"udp://127.0.0.1", "port is missing"},
      {"sctp://127.0.0.1:8080", "only tcp://, udp://, unix:// and fd://"},
      {"TCP://127.0.0.1:8080", "only tcp://, udp://, unix:// and fd://"},
      {"tcp://", "host is missing"},
      {"tcp://:80", "host is missing"},
      {"tcp://127.0.0.1", "port is missing"},
      {"tcp://127.0.0.1:", "port is missing"},
      {"tcp://127.0.0.1:http", "port must be a number"},
      {"tcp://127.0.0.1:-1", "port must be a number"},
      {"tcp://127.0.0.1:+1", "port must be a number"},
      {"tcp://127.0.0.1:65536", "port must be a number"},
      {"tcp://127.0.0.1:99999999999", "port must be a number"},
      {"tcp://127.0.0.1:80/", "port must be a number"},
      {"tcp://127.0.0.1: 80", "port must be a number"},
      {"tcp://::1:80", "between [ and ]"},
      {"tcp://[::1:80", "] after the IPv6"},
      {"tcp://[]:80", "between [ and ]"},
      {"tcp://[127.0.0.1]:80", "between [ and ]"},
      {"tcp://[::1]", "port is missing"},
      {"tcp://[::1]80", "port is missing"},
      {"tcp://[::1 ]:80", "between [ and ]"},
      {"tcp://a b:80", "neither a name nor an address"},
      {"tcp://user@host:80", "neither a name nor an address"},
      {"unix://", "must be absolute"},
      {"unix://run/app.sock", "must be absolute"},
      {"unix:///run/", "a directory's"},
      {"unix:///a b", "a blank or a control character"},
      {"unix:///a\n", "a blank or a control character"},
      {"unix://@", "name behind @ is missing"},
      {"unix://@a b", "a blank or a control character"},
      {"fd://", "number or name of a descriptor is missing"},
      {"fd://0", "standard streams"},
      {"fd://2", "standard streams"},
      {"fd://99999999999", "no number of a descriptor"},
      {"fd://a b", "a blank, a colon"},
      {"fd://a:b", "a blank, a colon"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto where = parse_endpoint(row.text);
    REQUIRE_FALSE(where);
    CHECK(where.error().verb == "parse endpoint");
    CHECK(where.error().object == row.text);
    CHECK(has(where.error().reason, row.reason));
  }
}

TEST_CASE("a unix address that the kernel has no room for is refused", "[net]") {
  for (const auto& text :
       {"unix:///" + std::string(107, 'x'), "unix://@" + std::string(108, 'x')}) {
    const auto where = parse_endpoint(text);
    REQUIRE_FALSE(where);
    CHECK(has(where.error().reason, "longer than 107 bytes"));
  }
}

TEST_CASE("what accept reports is told apart by what to do next", "[net]") {
  using enum accept_kind;
  struct row {
    int code;
    accept_kind kind;
  };
  const row rows[] = {{EAGAIN, would_block},     {EINTR, try_again},      {ECONNABORTED, try_again},
                      {EPROTO, try_again},       {EPERM, try_again},      {ENETDOWN, try_again},
                      {ENOPROTOOPT, try_again},  {EHOSTDOWN, try_again},  {ENONET, try_again},
                      {EHOSTUNREACH, try_again}, {EOPNOTSUPP, try_again}, {ENETUNREACH, try_again},
                      {ETIMEDOUT, try_again},    {EMFILE, exhausted},     {ENFILE, exhausted},
                      {ENOBUFS, exhausted},      {ENOMEM, exhausted},     {EBADF, failed},
                      {EINVAL, failed},          {ENOTSOCK, failed},      {EFAULT, failed}};
  for (const auto& row : rows) {
    INFO("errno " << row.code);
    CHECK(classify_accept_error(row.code) == row.kind);
  }
}
