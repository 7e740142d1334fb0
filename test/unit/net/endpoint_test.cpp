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

TEST_CASE("a text that is no endpoint is refused with what to write instead", "[net]") {
  struct row {
    std::string_view text;
    std::string_view reason;
  };
  const row rows[] = {
      {"", "begin with tcp://"},
      {"127.0.0.1:8080", "begin with tcp://"},
      {"tcp:/127.0.0.1:8080", "begin with tcp://"},
      {"udp://127.0.0.1:8080", "only tcp://"},
      {"TCP://127.0.0.1:8080", "only tcp://"},
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
