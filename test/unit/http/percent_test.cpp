#include "support/catch.hpp"
#include <coppice/http/percent.hpp>

using namespace coppice::http;

TEST_CASE("percent-decoding undoes escapes and leaves what is none") {
  CHECK(percent_decode("") == "");
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_decode("%41%62%c3%BC") == "Ab\xc3\xbc");
  CHECK(percent_decode("%") == "%");
  CHECK(percent_decode("%4") == "%4");
  CHECK(percent_decode("%4g%41") == "%4gA");
  CHECK(percent_decode("%%41") == "%A");
  CHECK(form_decode("a+b%2B") == "a b+");
}

TEST_CASE("a text is well escaped if every percent sign has two digits") {
  CHECK(well_escaped(""));
  CHECK(well_escaped("/a%20b%Ff"));
  CHECK_FALSE(well_escaped("/%"));
  CHECK_FALSE(well_escaped("/%2"));
  CHECK_FALSE(well_escaped("/%2x"));
}

TEST_CASE("a form gives the first value of a name, decoded") {
  CHECK(form_value("us=50", "us") == "50");
  CHECK(form_value("a=1&us=50&us=60", "us") == "50");
  CHECK(form_value("a&b=", "a") == "");
  CHECK(form_value("a&b=", "b") == "");
  CHECK(form_value("a=b=c", "a") == "b=c");
  CHECK(form_value("x+y=1%262", "x y") == "1&2");
  CHECK(form_value("&&a=1&", "a") == "1");
  CHECK_FALSE(form_value("&&a=1&", ""));
  CHECK_FALSE(form_value("", "a"));
  CHECK_FALSE(form_value("ab=1", "a"));
}
