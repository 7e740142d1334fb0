// Well-formed requests: what is read of them, and that it does not depend on how they come.
#include "parse.hpp"
#include "support/catch.hpp"
#include <numeric>

using namespace coppice::http;
using namespace coppice::http::testing;

namespace {

struct row {
  const char* what;
  std::string bytes;
  std::string_view path, query, body;
  bool keep_alive = true;
};

const std::vector<row> rows{
    {"the shortest", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "/", "", ""},
    {"a path and a query", "GET /n/123?us=50&x HTTP/1.1\r\nHost: a:80\r\n\r\n", "/n/123", "us=50&x",
     ""},
    {"a query that is empty", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", "/a", "", ""},
    {"two question marks", "GET /a?b?c HTTP/1.1\r\nHost: a\r\n\r\n", "/a", "b?c", ""},
    {"an escaped path", "GET /a%20b%2Fc HTTP/1.1\r\nHost: a\r\n\r\n", "/a b/c", "", ""},
    {"an escape that is none, in the query", "GET /?q=100% HTTP/1.1\r\nHost: a\r\n\r\n", "/",
     "q=100%", ""},
    {"the absolute form", "GET http://b:8080/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "/c", "d", ""},
    {"the absolute form without a path", "GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", ""},
    {"the absolute form with only a query", "GET http://b?d HTTP/1.1\r\nHost: a\r\n\r\n", "/", "d",
     ""},
    {"the asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "", ""},
    {"an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "/", "", ""},
    {"an empty line before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", ""},
    {"tabs and blanks around a value", "GET / HTTP/1.1\r\nHost: \t a \t\r\nB:\t\r\nC:c\r\n\r\n",
     "/", "", ""},
    {"a tab within a value", "GET / HTTP/1.1\r\nHost: a\r\nB: c\td\r\n\r\n", "/", "", ""},
    {"a value above ASCII", "GET / HTTP/1.1\r\nHost: a\r\nB: \xc3\xbc\r\n\r\n", "/", "", ""},
    {"a name of odd token characters", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~1: b\r\n\r\n",
     "/", "", ""},
    {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "/", "", "", false},
    {"HTTP/1.0 that would go on", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "/", "", "",
     true},
    {"HTTP/1.1 that would not", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/", "",
     "", false},
    {"close in a list", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "/", "", "",
     false},
    {"an upgrade that is offered",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "/", "", ""},
    {"an upgrade that is offered with content",
     "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: "
     "3\r\n\r\nabc",
     "/", "", "abc"},
    {"a length of nothing", "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "/e", "",
     ""},
    {"a length", "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\r\nc", "/e", "",
     "ab\r\nc"},
    {"a length with zeros before it",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nabcde", "/", "", "abcde"},
    {"content of a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", "/", "", "ab"},
    {"an expectation",
     "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nab", "/", "",
     "ab"},
    {"an expectation in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: anything\r\n\r\n", "/", "", "",
     false},
    {"no chunk but the last",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "/", "", ""},
    {"chunks",
     "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: "
     "Chunked\r\n\r\n3\r\na\r\n\r\n00B\r\nbcdefghijkl\r\n0\r\n\r\n",
     "/", "", "a\r\nbcdefghijkl"},
    {"chunks with extensions and trailers",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d "
     "e\"\r\nabc\r\n0;x\r\nA: b\r\nC:\r\n\r\n",
     "/", "", "abc"},
};

} // namespace

TEST_CASE("well-formed requests are read for what they are") {
  const options bounds;
  for (const row& r : rows) {
    INFO(r.what);
    request_parser parser{bounds};
    parser.parse(r.bytes);
    CHECK(parser.why().why == "");
    REQUIRE(parser.where() == request_parser::state::complete);
    CHECK(parser.message().path() == r.path);
    CHECK(parser.message().query() == r.query);
    CHECK(parser.message().body() == r.body);
    CHECK(parser.keep_alive() == r.keep_alive);
    CHECK(parser.size() == r.bytes.size());
  }
}

TEST_CASE("a well-formed request is read alike wherever it is split") {
  const options bounds;
  const std::string next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const row& r : rows) {
    INFO(r.what);
    const outcome whole = parse_whole(r.bytes, bounds);
    REQUIRE(whole.where == request_parser::state::complete);
    for (const std::string& bytes : {r.bytes, r.bytes + next}) {
      std::vector<std::size_t> each_byte(r.bytes.size());
      std::iota(each_byte.begin(), each_byte.end(), std::size_t{0});
      CHECK(parse_in_place(bytes, each_byte, bounds) == whole);
      for (std::size_t cut = 0; cut <= r.bytes.size(); ++cut) {
        INFO("cut at " << cut);
        CHECK(parse_in_place(bytes, {cut}, bounds) == whole);
        if (cut == r.bytes.size()) continue;
        CHECK(parse_kept(bytes, cut, 1, bounds) == whole);
        CHECK(parse_kept(bytes, cut, 1000, bounds) == whole);
      }
    }
  }
}

TEST_CASE("each beginning of a request is incomplete") {
  const options bounds;
  for (const row& r : rows) {
    INFO(r.what);
    for (std::size_t size = 0; size < r.bytes.size(); ++size) {
      request_parser parser{bounds};
      parser.parse(std::string_view{r.bytes}.substr(0, size));
      CHECK_FALSE(over(parser));
    }
  }
}

TEST_CASE("pipelined requests are read one by one") {
  const options bounds;
  std::string bytes;
  for (const row& r : rows) bytes += r.bytes;
  std::string_view rest = bytes;
  request_parser parser{bounds};
  for (const row& r : rows) {
    INFO(r.what);
    REQUIRE(parser.parse(rest) == request_parser::state::complete);
    CHECK(parser.message().path() == r.path);
    CHECK(parser.message().body() == r.body);
    rest.remove_prefix(parser.size());
    parser.reset();
  }
  CHECK(rest.empty());
}

TEST_CASE("a parser is untouched by empty lines") {
  const options bounds;
  request_parser parser{bounds};
  CHECK(parser.untouched());
  parser.parse("\r\n");
  CHECK(parser.untouched());
  parser.parse("\r\nG");
  CHECK_FALSE(parser.untouched());
}

TEST_CASE("the sender is told to go on only if its content is still to come") {
  const options bounds;
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  request_parser waiting{bounds};
  waiting.parse(head);
  CHECK(waiting.wants_continue());
  request_parser sending{bounds};
  sending.parse(head + "a");
  CHECK_FALSE(sending.wants_continue());
  request_parser done{bounds};
  done.parse(head + "ab");
  CHECK_FALSE(done.wants_continue());
}

TEST_CASE("a request without a length is accepted where none is required") {
  options bounds;
  bounds.require_length = false;
  const auto out = parse_whole("POST / HTTP/1.1\r\nHost: a\r\n\r\n", bounds);
  CHECK(out.where == request_parser::state::complete);
}
