#include "support/catch.hpp"
#include <coppice/http/response.hpp>
#include <coppice/http/status.hpp>
#include <stdexcept>

using namespace coppice::http;

TEST_CASE("a field's value cannot begin another field or response") {
  response r;
  for (const std::string value : {"a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x7f", "\x01"})
    CHECK_THROWS_AS(r.header("X", value), std::invalid_argument);
  CHECK_THROWS_AS(r.header("X", std::string_view("a\0b", 3)), std::invalid_argument);
  CHECK_THROWS_AS(redirect("/a\r\nSet-Cookie: b"), std::invalid_argument);
  CHECK_NOTHROW(r.header("X", "a\tb \xc3\xbc"));
  CHECK_NOTHROW(r.header("X", ""));
}

TEST_CASE("a field's name is a token") {
  response r;
  for (const std::string name : {"", "a b", "a:", "a\r\n", "\xc3\xbc", "(a)"})
    CHECK_THROWS_AS(r.header(name, "x"), std::invalid_argument);
}

TEST_CASE("fields of the connection are not a handler's to set") {
  for (const char* name :
       {"Content-Length", "transfer-encoding", "CONNECTION", "Keep-Alive", "Upgrade"})
    CHECK_THROWS_AS(response{}.header(name, "x"), std::invalid_argument);
}

TEST_CASE("a status is a final one") {
  for (const int code : {-1, 0, 100, 199, 600})
    CHECK_THROWS_AS(response{code}, std::invalid_argument);
  for (const int code : {200, 299, 404, 599}) CHECK(response{code}.status() == code);
}

TEST_CASE("a bare status says what it is, where it has content") {
  CHECK(status(404).body() == "404 Not Found\n");
  CHECK(status(599).body() == "599\n");
  for (const int code : {204, 205, 304}) CHECK(status(code).body().empty());
}

TEST_CASE("registered codes have phrases, others have none") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(299).empty());
}
