// Ten thousand restarts of real processes leave nothing behind: no descriptor, no zombie, no
// memory, neither in the primary nor in the zygote. COPPICE_RESTARTS sets how many.
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/sanitized.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace coppice;

namespace {

constexpr std::size_t workers = 8;

std::size_t wanted() {
  const char* text = std::getenv("COPPICE_RESTARTS");
  if (text) return static_cast<std::size_t>(std::atol(text));
  return test::sanitized ? 1000 : 10'000;
}

/// Workers that end as soon as they are up, until the file `calm` is there.
class short_lived {
public:
  short_lived() : calm_{directory_.file("calm")} {
    keep_calm();
    program_.emplace(std::vector<std::string>{MISBEHAVE, "mortal", std::to_string(workers), calm_});
    program_->wait_ready();
  }

  /// Lets them die until there have been so many restarts in all, then lets them live.
  void die_until(std::size_t restarts) {
    std::remove(calm_.c_str());
    for (const pid_t pid : program_->workers()) ::kill(pid, SIGKILL);
    while (restarts_ < restarts) {
      REQUIRE(program_->wait_output("restarted because of", read_to_));
      count();
    }
    keep_calm();
    REQUIRE(test::eventually([&] {
      program_->read_output();
      const auto children = test::children_of(program_->pid());
      for (const pid_t child : children)
        if (test::process_state(child) == 'Z') return false;
      return program_->workers().size() == workers && program_->zygote() != 0 &&
             program_->spare() != 0 && children.size() == workers + 2;
    }));
    REQUIRE(program_->wait_quiet());
    count();
  }

  test::program& program() { return *program_; }
  [[nodiscard]] std::size_t restarts() const { return restarts_; }

private:
  void keep_calm() { std::ofstream{calm_} << '\n'; }
  void count() {
    const std::string_view text = program_->output();
    constexpr std::string_view line = "restarted because of";
    for (auto at = text.find(line, read_to_); at != std::string_view::npos;
         at = text.find(line, read_to_)) {
      read_to_ = at + line.size();
      ++restarts_;
    }
  }

  test::temporary_directory directory_;
  std::string calm_;
  std::optional<test::program> program_;
  std::size_t read_to_ = 0;
  std::size_t restarts_ = 0;
};

} // namespace

TEST_CASE("ten thousand restarts leave nothing behind") {
  short_lived it;
  auto& program = it.program();
  // By then each of the eight has its last hundred deaths in memory.
  it.die_until(std::min<std::size_t>(wanted() / 2, 1000));
  const pid_t zygote = program.zygote();
  const auto files = test::open_files(program.pid());
  const auto zygote_files = test::open_files(zygote);
  const auto memory = test::resident_kib(program.pid());
  const auto zygote_memory = test::resident_kib(zygote);
  it.die_until(wanted());

  const auto later = test::resident_kib(program.pid());
  const auto zygote_later = test::resident_kib(program.zygote());
  std::printf("%zu restarts; primary %zu, then %zu descriptors, %zu, then %zu KiB; zygote %zu, then"
              " %zu descriptors, %zu, then %zu KiB\n",
              it.restarts(), files, test::open_files(program.pid()), memory, later, zygote_files,
              test::open_files(program.zygote()), zygote_memory, zygote_later);
  CHECK(it.restarts() >= wanted());
  CHECK(program.zygote() == zygote);
  CHECK(test::open_files(program.pid()) == files);
  CHECK(test::open_files(zygote) == zygote_files);
  if (!test::sanitized) { // a quarantine keeps what has been freed
    CHECK(later <= memory + 1024);
    CHECK(zygote_later <= zygote_memory + 256);
  }
  program.signal(SIGTERM);
  CHECK(program.wait_exit().text() == "exit code 0");
}
