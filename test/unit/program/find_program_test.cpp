#include "support/catch.hpp"

#include <coppice/runtime/spawn/find_program.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace coppice {

TEST_CASE("a program is found by name as a shell finds it") {
  char directory[] = "/tmp/coppice-path-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string here = directory;
  const auto make = [&](const std::string& name, mode_t mode) {
    const int fd = ::open((here + "/" + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    REQUIRE(fd >= 0);
    ::close(fd);
  };
  make("coppice-good", 0755);
  make("coppice-closed", 0644);
  const std::vector<std::string> environment{"A=1", "PATH=/nonexistent::" + here + ":/bin"};

  CHECK(find_program("coppice-good", environment) == here + "/coppice-good");
  CHECK(find_program("sh", environment) == "/bin/sh");
  CHECK(find_program("./anything", environment) == "./anything");
  CHECK(find_program("coppice-missing", environment).error().message() ==
        "start coppice-missing: No such file or directory");
  CHECK(find_program("coppice-closed", environment).error().message() ==
        "start coppice-closed: Permission denied");
  CHECK_FALSE(find_program("", environment));
  CHECK_FALSE(find_program("coppice-good", {}));
  CHECK(find_program("env", {}) == "/usr/bin/env");

  ::unlink((here + "/coppice-good").c_str());
  ::unlink((here + "/coppice-closed").c_str());
  ::rmdir(directory);
}

} // namespace coppice
