// What may stand behind an endpoint, and what the variables of a service manager say: by tables.
#include "support/catch.hpp"
#include "support/text.hpp"

#include <coppice/runtime/net/inherited_sockets.hpp>
#include <coppice/runtime/net/listen_options.hpp>

#include <string>
#include <string_view>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

TEST_CASE("options are read behind the endpoint, in any order", "[net]") {
  struct row {
    std::string_view text;
    listen_options options;
  };
  const row rows[] = {
      {"tcp://127.0.0.1:80", {}},
      {"tcp://127.0.0.1:80?backlog=1", {.backlog = 1}},
      {"tcp://127.0.0.1:80?backlog=1000000", {.backlog = 1'000'000}},
      {"tcp://127.0.0.1:80?reuse_addr=false&tcp_nodelay=false",
       {.reuse_addr = false, .tcp_nodelay = false}},
      {"tcp://[::]:80?v6_only=true", {.v6_only = true}},
      {"udp://[::]:80?v6_only=true", {.v6_only = true}},
      {"tcp://h:80?keepalive=60&defer_accept=5", {.keepalive = 60s, .defer_accept = 5s}},
      {"tcp://h:80?defer_accept=5&keepalive=60", {.keepalive = 60s, .defer_accept = 5s}},
      {"tcp://h:80?keepalive=0&fast_open=256", {.fast_open = 256}},
      {"unix:///a?mode=0660", {.mode = 0660}},
      {"unix:///a?mode=777&owner=root&group=0&backlog=7",
       {.backlog = 7, .mode = 0777, .owner = "root", .group = "0"}},
      {"unix://@a?backlog=7", {.backlog = 7}},
      {"fd://3", {}},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto spec = parse_listen(row.text);
    REQUIRE(spec);
    CHECK(spec->options == row.options);
    CHECK(to_string(spec->where) == row.text.substr(0, row.text.find('?')));
  }
}

TEST_CASE("an option that is none, or has no such value, is named with the endpoint", "[net]") {
  struct row {
    std::string_view text;
    std::string_view reason;
  };
  const row rows[] = {
      {"tcp://h:80?", "there is no option ''; here there are backlog, reuse_addr, v6_only"},
      {"tcp://h:80?color=red", "there is no option 'color'; here there are backlog"},
      {"tcp://h:80?Backlog=1", "there is no option 'Backlog'"},
      {"tcp://h:80?backlog=1&", "there is no option ''"},
      {"tcp://h:80?backlog=1&backlog=1", "'backlog' is there twice"},
      {"tcp://h:80?backlog", "backlog = '': must be a number from 1 to 1000000"},
      {"tcp://h:80?backlog=", "backlog = '': must be a number"},
      {"tcp://h:80?backlog=0", "backlog = '0': must be a number from 1 to 1000000"},
      {"tcp://h:80?backlog=1000001", "backlog = '1000001': must be a number"},
      {"tcp://h:80?backlog=1x", "backlog = '1x': must be a number"},
      {"tcp://h:80?reuse_addr=yes", "reuse_addr = 'yes': must be true or false"},
      {"tcp://h:80?tcp_nodelay=1", "tcp_nodelay = '1': must be true or false"},
      {"tcp://127.0.0.1:80?v6_only=true", "'v6_only' is for IPv6 addresses"},
      {"tcp://h:80?keepalive=-1", "keepalive = '-1': must be a number from 0 to 32767, of seconds"},
      {"tcp://h:80?keepalive=1m", "keepalive = '1m': must be a number from 0 to 32767"},
      {"tcp://h:80?defer_accept=3601", "defer_accept = '3601': must be a number from 0 to 3600"},
      {"tcp://h:80?fast_open=true", "fast_open = 'true': must be a number from 0 to 65535"},
      {"tcp://h:80?mode=0600", "'mode' is not for such an endpoint; here there are backlog"},
      {"unix:///a?mode=0800", "mode = '0800': must be octal, from 0 to 0777"},
      {"unix:///a?mode=1777", "mode = '1777': must be octal"},
      {"unix:///a?mode=rw", "mode = 'rw': must be octal"},
      {"unix:///a?owner=", "owner = '': must be a name or a number"},
      {"unix:///a?keepalive=1",
       "'keepalive' is not for such an endpoint; here there are backlog, mode, owner, group"},
      {"unix://@a?mode=0600", "'mode' is not for such an endpoint; here there are backlog"},
      {"fd://3?backlog=1", "'backlog': whoever opened an inherited socket has chosen its options"},
      {"udp://h:80?backlog=1", "'backlog' is not for such an endpoint; here there are v6_only"},
      {"udp://h:80?v6_only=true", "'v6_only' is for IPv6 addresses"},
      {"tcp://h?backlog=1", "the port is missing"},
      {"udp:?backlog=1", "it must begin with tcp://"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto spec = parse_listen(row.text);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().verb == "parse endpoint");
    CHECK(spec.error().object == row.text);
    INFO(spec.error().reason);
    CHECK(has(spec.error().reason, row.reason));
  }
}

TEST_CASE("where the kernel does not count, nothing is protected", "[net]") {
  const auto why = [](std::string_view text) {
    return why_unprotected(parse_listen(text).value());
  };
  CHECK(why("tcp://h:80?defer_accept=1&keepalive=1") == "");
  CHECK(why("tcp://h:80?fast_open=0") == "");
  CHECK(has(why("tcp://h:80?fast_open=1"), "fast_open"));
  CHECK(has(why("unix:///a"), "does not count the bytes"));
  CHECK(has(why("unix://@a"), "does not count the bytes"));
  CHECK(why("fd://3") == "");
}

TEST_CASE("the sockets of LISTEN_FDS are for one process, and have names", "[net]") {
  using names = std::vector<std::string>;
  const auto of = [](listen_variables said) { return names_of_sockets(said, 71); };
  CHECK(of({}).value() == names{});
  CHECK(of({"71", "0", {}}).value() == names{});
  CHECK(of({"71", "2", {}}).value() == names{"unknown", "unknown"});
  CHECK(of({"71", "2", "web:metrics"}).value() == names{"web", "metrics"});
  CHECK(of({"71", "3", "web::web"}).value() == names{"web", "unknown", "web"});
  CHECK(of({"71", "2", "web"}).value() == names{"web", "unknown"});
  CHECK(of({"71", "1", "web:more:than:there:are"}).value() == names{"web"});
  CHECK(of({"72", "2", "web:metrics"}).value() == names{}); // somebody else's
  CHECK(of({{}, "2", "web:metrics"}).value() == names{});
  CHECK(of({"71", {}, "web:metrics"}).value() == names{});
}

TEST_CASE("numbers in LISTEN_FDS that are none are refused", "[net]") {
  CHECK(names_of_sockets({"71", "x", {}}, 71).error().message() ==
        "read LISTEN_FDS: 'x' is no such number");
  CHECK(names_of_sockets({"71", "-1", {}}, 71).error().message() ==
        "read LISTEN_FDS: '-1' is no such number");
  CHECK(names_of_sockets({"71", "99999", {}}, 71).error().message() ==
        "read LISTEN_FDS: '99999' is no such number");
  CHECK(names_of_sockets({"", "1", {}}, 71).error().message() ==
        "read LISTEN_PID: '' is no such number");
}
