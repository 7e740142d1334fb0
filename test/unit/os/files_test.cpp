// Descriptors, memory files, limits, the environment: small things around a process.
#include "processes.hpp"

#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/rlimits.hpp>
#include <coppice/runtime/os/socket_pair.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace coppice::os {

TEST_CASE("a duplicate is closed on exec") {
  const auto copy = duplicate(0);
  REQUIRE(copy);
  CHECK((::fcntl(copy->get(), F_GETFD) & FD_CLOEXEC) != 0);
  const auto high = duplicate_above(0, 100);
  REQUIRE(high);
  CHECK(high->get() >= 100);
}

TEST_CASE("an error names verb, object and code") {
  const auto copy = duplicate(-1);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().message() == "duplicate descriptor -1: Bad file descriptor");
}

TEST_CASE("both ends of a pair are non-blocking and closed on exec") {
  for (auto make : {seqpacket_pair, stream_pair}) {
    const auto pair = make();
    REQUIRE(pair);
    for (const auto* end : {&pair->ours, &pair->theirs}) {
      CHECK((::fcntl(end->get(), F_GETFD) & FD_CLOEXEC) != 0);
      CHECK((::fcntl(end->get(), F_GETFL) & O_NONBLOCK) != 0);
    }
  }
}

TEST_CASE("a sealed memfd is zeroed and keeps its size") {
  const auto file = sealed_memfd("test", 4096);
  REQUIRE(file);
  char byte = 1;
  CHECK(::pread(file->get(), &byte, 1, 4095) == 1);
  CHECK(byte == 0);
  CHECK(::pread(file->get(), &byte, 1, 4096) == 0);
  CHECK(::ftruncate(file->get(), 0) == -1);
  CHECK(errno == EPERM);
  CHECK(::ftruncate(file->get(), 8192) == -1);
  CHECK(::fcntl(file->get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
  CHECK((::fcntl(file->get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::pwrite(file->get(), "x", 1, 0) == 1);
}

TEST_CASE("open_descriptors lists what is open, and not itself") {
  const auto before = open_descriptors();
  CHECK(std::is_sorted(before.begin(), before.end()));
  const auto one = *duplicate(0);
  auto after = open_descriptors();
  CHECK(after.size() == before.size() + 1);
  CHECK(std::binary_search(after.begin(), after.end(), one.get()));
}

TEST_CASE("close_all_but closes everything else") {
  const int code = test::code_of_child([] {
    for (int n = 0; n < 50; ++n) (void)!::dup(0);
    (void)!::dup2(0, 200);
    const std::array keep{0, 2, 10, 11, 40};
    close_all_but(keep);
    return open_descriptors() == std::vector<int>(keep.begin(), keep.end()) ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("close_all_but knows no descriptor below zero and may be told to keep none") {
  const int code = test::code_of_child([] {
    close_all_but(std::array{-1, -1, 1});
    if (open_descriptors() != std::vector{1}) return 1;
    close_all_but({});
    return ::fcntl(1, F_GETFD) < 0 ? 0 : 2;
  });
  CHECK(code == 0);
}

TEST_CASE("a variable is taken once") {
  ::setenv("COPPICE_TEST_LETTER", "hello", 1);
  CHECK(take_environment("COPPICE_TEST_LETTER") == "hello");
  CHECK(std::getenv("COPPICE_TEST_LETTER") == nullptr);
  CHECK_FALSE(take_environment("COPPICE_TEST_LETTER"));
  ::setenv("COPPICE_TEST_LETTER", "", 1);
  CHECK(take_environment("COPPICE_TEST_LETTER") == "");
}

TEST_CASE("the limit of open files is raised to the hard one") {
  const int code = test::code_of_child([] {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto raised = raise_open_files();
    if (!raised || *raised != limit.rlim_max) return 1;
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur == limit.rlim_max ? 0 : 2;
  });
  CHECK(code == 0);
}

TEST_CASE("core files can be forbidden, and asked for as far as the hard limit goes") {
  const int code = test::code_of_child([] {
    rlimit limit{};
    if (!set_core_limit(0)) return 1;
    ::getrlimit(RLIMIT_CORE, &limit);
    if (limit.rlim_cur != 0) return 2;
    limit.rlim_max = 4096;
    ::setrlimit(RLIMIT_CORE, &limit);
    if (!set_core_limit(1 << 20)) return 3;
    ::getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_cur == 4096 ? 0 : 4;
  });
  CHECK(code == 0);
}

} // namespace coppice::os
