#include "support/catch.hpp"
#include <coppice/http/serializer.hpp>
#include <coppice/runtime/limits.hpp>

using namespace coppice;
using namespace coppice::http;

namespace {

constexpr std::time_t noon = 784111777;

std::string joined(std::span<const std::string_view> pieces) {
  std::string all;
  for (const auto piece : pieces) all += piece;
  return all;
}

std::string whole(const response& answer, answer_context context = {}) {
  context.now = noon;
  serializer writer;
  return joined(writer.whole(answer, context));
}

const std::string dated = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

} // namespace

TEST_CASE("an answer has Date, its type and its length") {
  CHECK(whole(text("hi")) ==
        "HTTP/1.1 200 OK\r\n" + dated +
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(whole(json_text("{}", 201).header("X-Y", "z")) ==
        "HTTP/1.1 201 Created\r\n" + dated +
            "Content-Type: application/json\r\nX-Y: z\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(whole(response{}) == "HTTP/1.1 200 OK\r\n" + dated + "Content-Length: 0\r\n\r\n");
  CHECK(whole(response{299}) == "HTTP/1.1 299 \r\n" + dated + "Content-Length: 0\r\n\r\n");
}

TEST_CASE("a handler's own type and date replace ours") {
  CHECK(whole(text("").header("content-type", "text/css").header("date", "now")) ==
        "HTTP/1.1 200 OK\r\ncontent-type: text/css\r\ndate: now\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an answer to HEAD has the length of the content and none of it") {
  CHECK(whole(text("abc"), {.head_request = true}) ==
        "HTTP/1.1 200 OK\r\n" + dated +
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n");
}

TEST_CASE("204, 205 and 304 never have content") {
  CHECK(whole(response{204}.body("x")) == "HTTP/1.1 204 No Content\r\n" + dated + "\r\n");
  CHECK(whole(response{304}.body("x")) == "HTTP/1.1 304 Not Modified\r\n" + dated + "\r\n");
  CHECK(whole(response{205}.body("x")) ==
        "HTTP/1.1 205 Reset Content\r\n" + dated + "Content-Length: 0\r\n\r\n");
}

TEST_CASE("Connection says what is not understood by itself") {
  const auto line = [](unsigned minor, bool keep) {
    const std::string all = whole(response{204}, {.minor_version = minor, .keep_alive = keep});
    return all.substr(all.find("GMT\r\n") + 5);
  };
  CHECK(line(1, true) == "\r\n");
  CHECK(line(1, false) == "Connection: close\r\n\r\n");
  CHECK(line(0, true) == "Connection: keep-alive\r\n\r\n");
  CHECK(line(0, false) == "Connection: close\r\n\r\n");
}

TEST_CASE("small content goes out in one piece with its head, large content in its own") {
  serializer writer;
  const response small = bytes(std::string(limits::http_joined, 'x'));
  CHECK(writer.whole(small, {}).size() == 1);
  const response large = bytes(std::string(limits::http_joined + 1, 'x'));
  const auto pieces = writer.whole(large, {});
  REQUIRE(pieces.size() == 2);
  CHECK(pieces[1].data() == large.body().data());
}

TEST_CASE("content without a length is chunked, and ends with the connection in HTTP/1.0") {
  CHECK(serializer::delimit(true, {}) == delimiting::length);
  CHECK(serializer::delimit(false, {}) == delimiting::chunked);
  CHECK(serializer::delimit(false, {.minor_version = 0}) == delimiting::connection);
  serializer writer;
  CHECK(writer.chunk_line(255) == "ff\r\n");
}

TEST_CASE("the Date is made anew when the second changes") {
  date_cache cache;
  CHECK(cache.line(0) == "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
  CHECK(cache.line(951782400) == "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
  CHECK(cache.line(4102444799) == "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n");
}
