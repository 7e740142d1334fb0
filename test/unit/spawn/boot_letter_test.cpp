#include "support/catch.hpp"

#include <coppice/runtime/spawn/boot_letter.hpp>
#include <coppice/runtime/spawn/fork_worker.hpp>
#include <coppice/runtime/spawn/process_role.hpp>

#include <cstdlib>
#include <limits>

namespace coppice {

TEST_CASE("a worker's letter is read as it was written") {
  using boot::worker_letter;
  const worker_letter letters[] = {
      {"web", "web/2", 7, 3, 4711},
      {"", "", 0, 0, 0},
      {"with blanks 1 2", "a name 3", std::numeric_limits<std::uint64_t>::max(),
       std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<pid_t>::max()},
  };
  for (const auto& letter : letters) {
    const auto read = boot::read_letter(boot::write_letter(letter));
    REQUIRE(read);
    CHECK(*read == letter);
  }
}

TEST_CASE("a letter that nobody of ours has written is refused, with its text") {
  for (const char* text : {"", " ", "1", "1 2 3", "1 2 3 4", "1 2 3 4 web", "x 2 3 0 ", "1 -2 3 0 ",
                           "1 2 99999999999 0 ", "1 2 3 18446744073709551616 a", "1  2 3 0 "}) {
    INFO(text);
    const auto read = boot::read_letter(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().message() ==
          "read COPPICE_WORKER: '" + std::string{text} + "' is not a worker's letter");
  }
}

TEST_CASE("the role is read once from the environment") {
  CHECK(current_role() == process_role::primary);
  ::setenv("COPPICE_ROLE", "worker", 1);
  CHECK(current_role() == process_role::worker);
  CHECK(current_role() == process_role::primary);
  ::setenv("COPPICE_ROLE", "zygote", 1);
  CHECK(current_role() == process_role::zygote);
  ::setenv("COPPICE_ROLE", "butler", 1);
  CHECK_FALSE(current_role());
}

TEST_CASE("a way to fork has a name") {
  for (const auto way : {fork_way::clone, fork_way::double_fork})
    CHECK(fork_way_named(to_string(way)) == way);
  CHECK_FALSE(fork_way_named(""));
  CHECK_FALSE(fork_way_named("clone3"));
}

} // namespace coppice
