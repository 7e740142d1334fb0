#include "support/catch.hpp"

#include <coppice/runtime/worker/look_again.hpp>

using coppice::look_again;

TEST_CASE("looking again goes on while it finds something", "[worker]") {
  look_again look;
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(look.worth());
    look.looked(i % 3 == 0); // never four times in vain in a row
  }
}

TEST_CASE("looking in vain stops, is tried now and then, and comes back when it pays", "[worker]") {
  look_again look;
  int looks = 0;
  for (int i = 0; i < 1600; ++i)
    if (look.worth()) {
      ++looks;
      look.looked(false);
    }
  CHECK(looks < 1600 / 16 + 8);
  while (!look.worth()) {
  }
  look.looked(true);
  CHECK(look.worth());
}
