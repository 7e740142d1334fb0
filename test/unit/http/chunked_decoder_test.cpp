#include "support/catch.hpp"
#include <coppice/http/chunked_decoder.hpp>
#include <string>

using namespace coppice::http;

TEST_CASE("the chunked decoder stops at the end of the content") {
  const options bounds;
  const std::string bytes = "4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\nExpires: never\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    chunked_decoder decoder;
    std::string content;
    const std::string input = bytes + "GET / HTTP/1.1";
    std::size_t taken = 0;
    while (!decoder.complete() && !decoder.why())
      taken += decoder.decode(std::string_view{input}.substr(taken, step), content, bounds);
    CHECK(decoder.complete());
    CHECK(content == "Wikipedia");
    CHECK(taken == bytes.size());
    CHECK(decoder.decode("more", content, bounds) == 0);
  }
}

TEST_CASE("the chunked decoder takes content up to the bound and no byte more") {
  options bounds;
  bounds.max_body = 16;
  std::string content;
  chunked_decoder fits;
  fits.decode("A\r\n0123456789\r\n6\r\nabcdef\r\n0\r\n\r\n", content, bounds);
  CHECK(fits.complete());
  CHECK(content == "0123456789abcdef");
  content.clear();
  chunked_decoder exceeds;
  exceeds.decode("A\r\n0123456789\r\n7\r\n", content, bounds);
  CHECK(exceeds.why().status == 413);
}

TEST_CASE("the chunked decoder takes nothing more after a fault") {
  const options bounds;
  chunked_decoder decoder;
  std::string content;
  CHECK(decoder.decode("zebra", content, bounds) == 1);
  CHECK(decoder.why().status == 400);
  CHECK(decoder.decode("3\r\n", content, bounds) == 0);
}
