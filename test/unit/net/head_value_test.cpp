#include "support/catch.hpp"

#include <coppice/runtime/net/head_value.hpp>
#include <vector>

using namespace coppice;
using state = head_value::state;

namespace {

const head_key session{head_key::kind::cookie, "session"};
const head_key tenant{head_key::kind::field, "X-Tenant"};

std::string head(const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; }

std::string found(const std::string& bytes, const head_key& key) {
  const auto got = find_in_head(bytes, key);
  return got.what == state::found ? std::string{got.value} : "(nothing)";
}

} // namespace

TEST_CASE("a cookie's value is found wherever it stands") {
  for (const std::string line :
       {"Cookie: session=s3", "cookie:session=s3", "COOKIE: a=1; session=s3; b=2",
        "Cookie: a=1;session=s3", "Cookie: xsession=no; sessionx=no; session=s3",
        "Cookie: session = no; session=s3", "Cookie: session=s3; session=later",
        "Cookie: =; ;; session= s3 "})
    CHECK(found(head("Host: x\r\n" + line + "\r\nAccept: */*\r\n"), session) == "s3");
  CHECK(found(head("Cookie: a=1\r\nCookie: session=s3\r\n"), session) == "s3");
  CHECK(found(head("Cookie: session=a=b\r\n"), session) == "a=b");
}

TEST_CASE("a field's value is found without regard to case, trimmed") {
  CHECK(found(head("x-tenant: \t acme corp \r\n"), tenant) == "acme corp");
  CHECK(found("GET / HTTP/1.1\nX-Tenant:acme\n\n", tenant) == "acme");
}

TEST_CASE("what is not there is absent, and so is what is empty") {
  for (const std::string fields :
       {"", "Host: x\r\n", "Cookie: Session=1\r\n", "Cookie: session\r\n", "Cookie: session=\r\n",
        "Cookies: session=1\r\n", "X-Cookie: session=1\r\n", "session=1\r\n",
        "Cookie : session=1\r\n"})
    CHECK(find_in_head(head(fields), session).what == state::absent);
  CHECK(find_in_head(head("X-Tenant: \r\n"), tenant).what == state::absent);
}

TEST_CASE("the request line and the body are not looked at") {
  CHECK(find_in_head("Cookie: session=1\r\n\r\n", session).what == state::absent);
  CHECK(find_in_head(head("") + "Cookie: session=1\r\n\r\n", session).what == state::absent);
}

TEST_CASE("what is no HTTP request is known by its first byte") {
  CHECK(find_in_head("\x16\x03\x01", session).what == state::absent);
  CHECK(find_in_head(std::string_view{"\0", 1}, session).what == state::absent);
  CHECK(find_in_head(" GET", session).what == state::absent);
  CHECK(find_in_head("\r\n\r\n\x16", session).what == state::absent);
}

TEST_CASE("nothing is said of a value before its line is whole") {
  CHECK(find_in_head("", session).what == state::incomplete);
  CHECK(find_in_head("\r", session).what == state::incomplete);
  CHECK(find_in_head("GET / HTTP/1.1\r\nCookie: session=s", session).what == state::incomplete);
  CHECK(found("GET / HTTP/1.1\r\nCookie: session=s\r\n", session) == "s");
}

TEST_CASE("what is said of some bytes stays true when more come") {
  for (const std::string& all :
       {head("Cookie: session=s3\r\nX-Tenant: acme\r\n"), head("Host: x\r\n"), "\r\n" + head(""),
        std::string{"\x16\x03\x01 nonsense\r\n\r\n"}, "\n\n" + head("X-Tenant: a\n") + "body"})
    for (const auto& key : {session, tenant}) {
      const auto whole = find_in_head(all, key);
      for (std::size_t n = 0; n <= all.size(); ++n) {
        const auto part = find_in_head(std::string_view{all}.substr(0, n), key);
        if (part.what == state::incomplete) continue;
        CHECK(part.what == whole.what);
        CHECK(part.value == whole.value);
      }
    }
}

TEST_CASE("names are tokens") {
  CHECK(is_head_name("session"));
  CHECK(is_head_name("__Host-id.2"));
  for (const char* bad : {"", "a b", "a=b", "a;b", "a:b", "a\r\n", "\xc3\xa4"})
    CHECK_FALSE(is_head_name(bad));
}
