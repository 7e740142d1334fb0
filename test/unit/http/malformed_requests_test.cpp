// What malformed, oversized and ambiguous requests are answered with, each fed whole and in pieces.
#include "parse.hpp"
#include "support/catch.hpp"
#include <numeric>

using namespace coppice::http;
using namespace coppice::http::testing;

namespace {

struct row {
  const char* what;
  std::string bytes;
  int status;
};

std::string repeat(std::string_view piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
}
std::string post(std::string_view fields_and_body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string{fields_and_body};
}
std::string chunked(std::string_view body) {
  return post("Transfer-Encoding: chunked\r\n\r\n" + std::string{body});
}

options small() {
  options bounds;
  bounds.max_line = 100;
  bounds.max_head = 400;
  bounds.max_headers = 10;
  bounds.max_body = 50;
  return bounds;
}

const std::vector<row> rows{
    // ---- the request line
    {"a TLS hello", "\x16\x03\x01\x02\x01\x01", 400},
    {"an HTTP/0.9 request", "GET /\r\n\r\n", 400},
    {"no version", "GET / \r\nHost: a\r\n\r\n", 400},
    {"no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"one word", "GET\r\n\r\n", 400},
    {"two blanks after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"two blanks before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a blank at the end of the line", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"a blank at its beginning", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a tab instead of the blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a method that is no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"an empty method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"an unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"a method that only begins like a known one", "GETS / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"a method of RTSP", "PLAY / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
    {"HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"HTTP/0.9 spelt out", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
    {"HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"HTTP/1", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
    {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
    {"HTTP/1,1", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400},
    {"http/1.1", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"another protocol", "GET / ICE/1.0\r\nHost: a\r\n\r\n", 400},
    {"a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a byte above ASCII in the target", "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a target without slash", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a target of another scheme", "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a target without its host", "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a target with user and password", "GET http://u:p@a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"an asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"half an escape in the path", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"an escape that is none", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"an escaped NUL", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a NUL in the target", std::string{"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 29}, 400},
    {"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"an endless request line", "GET /" + repeat("a", 200), 414},
    {"a long request line", "GET /" + repeat("a", 200) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},

    // ---- ends of lines
    {"LF alone after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"LF alone after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"LF alone at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"a CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"a CR in a value", get("A: b\rB: c\r\n"), 400},
    {"a CR in a value that hides a length", get("A: b\rContent-Length: 5\r\n"), 400},
    {"two CRs before the LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
    {"a CR alone before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},

    // ---- fields
    {"a blank before the colon", get("A : b\r\n"), 400},
    {"a blank before the colon of Host", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"a tab before the colon", get("A\t: b\r\n"), 400},
    {"a blank in a name", get("A B: c\r\n"), 400},
    {"a folded value", get("A: b\r\n c\r\n"), 400},
    {"a value folded with a tab", get("A: b\r\n\tc\r\n"), 400},
    {"a first field that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"a field without a colon", get("A\r\n"), 400},
    {"a field without a name", get(": b\r\n"), 400},
    {"a name with a delimiter", get("A[]: b\r\n"), 400},
    {"a name above ASCII", get("\xc3\x84: b\r\n"), 400},
    {"a NUL in a value", get({"A: b\0c\r\n", 8}), 400},
    {"a bell in a value", get("A: \a\r\n"), 400},
    {"a DEL in a value", get("A: \x7f\r\n"), 400},
    {"no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
    {"no field at all", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", get("Host: b\r\n"), 400},
    {"the same Host twice", get("host: a\r\n"), 400},
    {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"a Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"two Hosts in one", "GET / HTTP/1.1\r\nHost: a,b c\r\n\r\n", 400},
    {"a long field", get("A: " + repeat("b", 200) + "\r\n"), 431},
    {"an endless field", "GET / HTTP/1.1\r\nHost: a\r\nA: " + repeat("b", 200), 431},
    {"an endless name", "GET / HTTP/1.1\r\nHost: a\r\n" + repeat("b", 200), 431},
    {"too many fields", get(repeat("A: b\r\n", 10)), 431},
    {"a long head", get(repeat("A: " + repeat("b", 90) + "\r\n", 5)), 431},
    {"an expectation that nobody knows", get("Expect: 200-ok\r\n"), 417},

    // ---- lengths
    {"POST without a length", post("\r\n"), 411},
    {"PUT without a length", "PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 411},
    {"an empty length", post("Content-Length:\r\n\r\n"), 400},
    {"a length with a sign", post("Content-Length: +5\r\n\r\nabcde"), 400},
    {"a negative length", post("Content-Length: -5\r\n\r\nabcde"), 400},
    {"a hexadecimal length", post("Content-Length: 0x5\r\n\r\nabcde"), 400},
    {"a length with a fraction", post("Content-Length: 5.0\r\n\r\nabcde"), 400},
    {"a length with a blank in it", post("Content-Length: 1 2\r\n\r\nabcde"), 400},
    {"a length with something behind it", post("Content-Length: 5, 5\r\n\r\nabcde"), 400},
    {"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"), 400},
    {"the same length twice", post("Content-Length: 5\r\ncontent-length: 5\r\n\r\nabcde"), 400},
    {"a length above 64 bits", post("Content-Length: 18446744073709551621\r\n\r\nabcde"), 400},
    {"a large length", post("Content-Length: 51\r\n\r\n"), 413},
    {"the largest length", post("Content-Length: 18446744073709551615\r\n\r\n"), 413},

    // ---- transfer codings, and requests that are smuggled in with them
    {"length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     400},
    {"chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
     400},
    {"a length hidden by a blank", post("Content-Length : 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
     400},
    {"chunked hidden by a blank", post("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n"),
     400},
    {"chunked hidden by a fold",
     post("Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"), 400},
    {"chunked hidden by a CR",
     post("Content-Length: 5\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"chunked twice",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked twice in one", post("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked but not last", post("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), 400},
    {"gzip without chunked", post("Transfer-Encoding: gzip\r\n\r\n"), 400},
    {"identity", post("Transfer-Encoding: identity\r\n\r\n"), 400},
    {"gzip and chunked", post("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501},
    {"almost chunked", post("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400},
    {"chunked with something behind it", post("Transfer-Encoding: chunked x\r\n\r\n0\r\n\r\n"),
     400},
    {"chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400},
    {"an empty coding", post("Transfer-Encoding:\r\n\r\n"), 400},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},

    // ---- chunks
    {"a chunk without a size", chunked("\r\nabc\r\n0\r\n\r\n"), 400},
    {"a size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400},
    {"a size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
    {"a size that is no number", chunked("g\r\nabc\r\n0\r\n\r\n"), 400},
    {"a blank before the size", chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400},
    {"a blank behind the size", chunked("3 \r\nabc\r\n0\r\n\r\n"), 400},
    {"a size above 64 bits", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 413},
    {"a size that wraps round", chunked("fffffffffffffffff\r\n"), 413},
    {"a large chunk", chunked("33\r\n"), 413},
    {"chunks that are large together", chunked("20\r\n" + repeat("a", 32) + "\r\n20\r\n"), 413},
    {"LF alone behind a size", chunked("3\nabc\r\n0\r\n\r\n"), 400},
    {"CR alone behind a size", chunked("3\rabc\r\n0\r\n\r\n"), 400},
    {"a chunk longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400},
    {"a chunk that ends in LF alone", chunked("3\r\nabc\n0\r\n\r\n"), 400},
    {"a chunk that ends in CR alone", chunked("3\r\nabc\r0\r\n\r\n"), 400},
    {"LF alone in an extension", chunked("3;a\nabc\r\n0\r\n\r\n"), 400},
    {"a CR in an extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400},
    {"an endless extension", chunked("3;" + repeat("a", 2000)), 400},
    {"an endless row of zeros", chunked(repeat("0", 2000)), 400},
    {"a trailer without a colon", chunked("0\r\nabc\r\n\r\n"), 400},
    {"a trailer with a blank before the colon", chunked("0\r\na : b\r\n\r\n"), 400},
    {"a folded trailer", chunked("0\r\na: b\r\n c\r\n\r\n"), 400},
    {"a CR in a trailer", chunked("0\r\na: b\rc: d\r\n\r\n"), 400},
    {"LF alone behind the trailers", chunked("0\r\na: b\r\n\n"), 400},
    {"LF alone behind the last chunk", chunked("0\r\n\n"), 400},
    {"too many trailers", chunked("0\r\n" + repeat("a: b\r\n", 11)), 431},
    {"a long trailer", chunked("0\r\na: " + repeat("b", 200)), 431},
    {"long trailers", chunked("0\r\n" + repeat("a: " + repeat("b", 80) + "\r\n", 6)), 431},
};

} // namespace

TEST_CASE("each malformed request is refused with its status") {
  const options bounds = small();
  REQUIRE(rows.size() >= 60);
  for (const row& r : rows) {
    INFO(r.what);
    const outcome out = parse_whole(r.bytes, bounds);
    CHECK(out.where == request_parser::state::refused);
    CHECK(out.status == r.status);
    CHECK_FALSE(out.why.empty());
  }
}

TEST_CASE("a malformed request is refused alike wherever it is split") {
  const options bounds = small();
  for (const row& r : rows) {
    INFO(r.what);
    const outcome whole = parse_whole(r.bytes, bounds);
    std::vector<std::size_t> each_byte(r.bytes.size());
    std::iota(each_byte.begin(), each_byte.end(), std::size_t{0});
    CHECK(parse_in_place(r.bytes, each_byte, bounds) == whole);
    for (std::size_t cut = 0; cut <= r.bytes.size(); ++cut) {
      if (parse_in_place(r.bytes, {cut}, bounds) == whole &&
          parse_kept(r.bytes, cut, 1, bounds) == whole &&
          parse_kept(r.bytes, cut, 1000, bounds) == whole)
        continue;
      INFO("cut at " << cut);
      CHECK(parse_in_place(r.bytes, {cut}, bounds) == whole);
      CHECK(parse_kept(r.bytes, cut, 1, bounds) == whole);
      CHECK(parse_kept(r.bytes, cut, 1000, bounds) == whole);
    }
  }
}

TEST_CASE("the defaults bound a line by 8 KiB, a head by 64 KiB, 100 fields, a body by 1 MiB") {
  const options bounds;
  const auto status = [&](const std::string& bytes) { return parse_whole(bytes, bounds).status; };
  const std::string line = "GET / HTTP/1.1";
  const auto get_padded = [&](std::size_t n) {
    return "GET /" + repeat("a", n - line.size()) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  CHECK(status(get_padded(8192)) == 0);
  CHECK(status(get_padded(8193)) == 414);
  CHECK(status(get("A: " + repeat("b", 8189) + "\r\n")) == 0);
  CHECK(status(get("A: " + repeat("b", 8190) + "\r\n")) == 431);
  CHECK(status(get(repeat("A: b\r\n", 99))) == 0);
  CHECK(status(get(repeat("A: b\r\n", 100))) == 431);
  CHECK(status(get(repeat("A: " + repeat("b", 8000) + "\r\n", 8))) == 0);
  CHECK(status(get(repeat("A: " + repeat("b", 8180) + "\r\n", 9))) == 431);
  CHECK(status(post("Content-Length: 1048576\r\n\r\n")) == 0);
  CHECK(status(post("Content-Length: 1048577\r\n\r\n")) == 413);
  CHECK(status(chunked("100000\r\n")) == 0);
  CHECK(status(chunked("100001\r\n")) == 413);
}
