#include "parse.hpp"
#include "support/catch.hpp"

using namespace coppice::http;
using namespace coppice::http::testing;

namespace {
const std::string bytes = "PUT /a%20b?n=12&m=x&l=18446744073709551616&e= HTTP/1.1\r\nHost: here\r\n"
                          "X-One: 1\r\nx-one: 2\r\nContent-Length: 3\r\n\r\nabc";
} // namespace

TEST_CASE("a request gives fields in any case, the first of a name, and all in their order") {
  const options bounds;
  request_parser parser{bounds};
  parser.parse(bytes);
  const request& r = parser.message();
  CHECK(r.header("HOST") == "here");
  CHECK(r.header("X-ONE") == "1");
  CHECK_FALSE(r.header("x-two"));
  std::string names;
  for (const auto [name, value] : r.headers())
    names.append(name).append("=").append(value).append(" ");
  CHECK(names == "Host=here X-One=1 x-one=2 Content-Length=3 ");
  CHECK(r.headers().size() == 4);
  CHECK(r.host() == "here");
  CHECK(r.raw_path() == "/a%20b");
  CHECK(r.attempt() == 1);
}

TEST_CASE("a parameter is read as a number only if it is one") {
  const options bounds;
  request_parser parser{bounds};
  parser.parse(bytes);
  const request& r = parser.message();
  CHECK(r.query_number("n") == 12U);
  CHECK_FALSE(r.query_number("m"));
  CHECK_FALSE(r.query_number("l"));
  CHECK_FALSE(r.query_number("e"));
  CHECK_FALSE(r.query_number("none"));
  CHECK(r.query("m") == "x");
}

TEST_CASE("a copy of a request owns its bytes") {
  const options bounds;
  request_parser parser{bounds};
  auto input = std::make_unique<std::string>(bytes);
  parser.parse(*input);
  const std::string before = describe(parser.message());
  request copy = parser.message();
  input.reset();
  parser.reset();
  CHECK(describe(copy) == before);
  const request moved = std::move(copy);
  CHECK(describe(moved) == before);
  request assigned;
  assigned = moved;
  CHECK(describe(assigned) == before);
}

TEST_CASE("GET, HEAD, PUT, DELETE, OPTIONS and TRACE are idempotent, others are not") {
  const options bounds;
  const auto idempotent = [&](std::string method) {
    request_parser parser{bounds};
    method += " / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    REQUIRE(parser.parse(method) == request_parser::state::complete);
    return parser.message().idempotent();
  };
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
    CHECK(idempotent(method));
  for (const char* method : {"POST", "PATCH", "PROPFIND"}) CHECK_FALSE(idempotent(method));
}
