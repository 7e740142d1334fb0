#include "processes.hpp"

#include <coppice/runtime/os/state_directory.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace coppice::os {
namespace {

namespace fs = std::filesystem;

/// A folder of its own, and an environment without the two variables.
struct scratch {
  fs::path folder;

  scratch() {
    std::string name = (fs::temp_directory_path() / "coppice-state-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    forget();
  }
  ~scratch() {
    forget();
    fs::remove_all(folder);
  }
  static void forget() {
    ::unsetenv("COPPICE_STATE_DIR");
    ::unsetenv("XDG_RUNTIME_DIR");
  }
  [[nodiscard]] std::string at(const char* name) const { return (folder / name).string(); }
};

mode_t mode_of(const std::string& path) {
  struct stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

std::string text_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_CASE("an explicit state directory is made, private, with a lock that holds our pid") {
  const scratch in;
  const auto made = state_directory::open(in.at("a/b"), "name");
  REQUIRE(made);
  CHECK(made->path() == in.at("a/b"));
  CHECK(mode_of(in.at("a")) == 0700);
  CHECK(mode_of(in.at("a/b")) == 0700);
  CHECK(mode_of(in.at("a/b/lock")) == 0600);
  CHECK(text_of(in.at("a/b/lock")) == std::to_string(::getpid()) + "\n");
}

TEST_CASE("the path is absolute and without a slash at its end") {
  const scratch in;
  const auto before = fs::current_path();
  fs::current_path(in.folder);
  const auto made = state_directory::open("x/../y/", "name");
  fs::current_path(before);
  REQUIRE(made);
  CHECK(made->path() == in.at("y"));
}

TEST_CASE("the state directory is explicit, from COPPICE_STATE_DIR, or in XDG_RUNTIME_DIR") {
  const scratch in;
  ::setenv("COPPICE_STATE_DIR", in.at("variable").c_str(), 1);
  ::setenv("XDG_RUNTIME_DIR", in.at("runtime").c_str(), 1);
  SECTION("explicit") {
    const auto made = state_directory::open(in.at("explicit"), "name");
    REQUIRE(made);
    CHECK(made->path() == in.at("explicit"));
  }
  SECTION("the variable") {
    const auto made = state_directory::open("", "name");
    REQUIRE(made);
    CHECK(made->path() == in.at("variable"));
  }
  SECTION("the user's") {
    ::unsetenv("COPPICE_STATE_DIR");
    const auto made = state_directory::open("", "name");
    REQUIRE(made);
    CHECK(made->path() == in.at("runtime/coppice/name"));
  }
  CHECK(std::getenv("COPPICE_STATE_DIR") == nullptr);
}

TEST_CASE("a state directory is locked until its owner is gone") {
  const scratch in;
  const auto path = in.at("state");
  {
    const auto first = state_directory::open(path, "name");
    REQUIRE(first);
    const auto second = state_directory::open(path, "name");
    REQUIRE_FALSE(second);
    CHECK(second.error().message() == "lock state directory " + path + ": process " +
                                          std::to_string(::getpid()) + " is using it");
  }
  CHECK(state_directory::open(path, "name"));
}

TEST_CASE("a lock of a process that was killed is free") {
  const scratch in;
  const auto path = in.at("state");
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  auto owner = test::in_child([&] {
    const auto own = state_directory::open(path, "name");
    (void)!::write(ready[1], own ? "y" : "n", 1);
    ::pause();
    return 0;
  });
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  ::close(ready[0]);
  ::close(ready[1]);
  const auto refused = state_directory::open(path, "name");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == "process " + std::to_string(owner.pid()) + " is using it");
  REQUIRE(owner.signal(SIGKILL));
  test::end_of(owner);
  CHECK(state_directory::open(path, "name"));
}

TEST_CASE("a directory that others can write to is refused") {
  const scratch in;
  const auto path = in.at("state");
  fs::create_directory(path);
  ::chmod(path.c_str(), 0770);
  const auto made = state_directory::open(path, "name");
  REQUIRE_FALSE(made);
  CHECK(made.error().message() == "use state directory " + path + ": others can write to it");
}

TEST_CASE("a directory that belongs to somebody else is refused") {
  if (::geteuid() != 0) return; // only root can make one
  const scratch in;
  const auto path = in.at("state");
  fs::create_directory(path);
  ::chmod(path.c_str(), 0700);
  REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
  const auto made = state_directory::open(path, "name");
  REQUIRE_FALSE(made);
  CHECK(made.error().message() == "use state directory " + path + ": it belongs to uid 65534");
}

TEST_CASE("a lock that is a symbolic link is refused") {
  const scratch in;
  const auto path = in.at("state");
  fs::create_directory(path);
  ::chmod(path.c_str(), 0700);
  fs::create_symlink(in.at("elsewhere"), path + "/lock");
  const auto made = state_directory::open(path, "name");
  REQUIRE_FALSE(made);
  CHECK(made.error().verb == "open");
  CHECK_FALSE(fs::exists(in.at("elsewhere")));
}

TEST_CASE("a file in the way is named") {
  const scratch in;
  std::ofstream{in.at("file")} << "x";
  const auto made = state_directory::open(in.at("file"), "name");
  REQUIRE_FALSE(made);
  CHECK(made.error().message() == "open state directory " + in.at("file") + ": Not a directory");
  const auto below = state_directory::open(in.at("file/below"), "name");
  REQUIRE_FALSE(below);
  CHECK(below.error().verb == "make state directory");
  CHECK(below.error().code == std::errc::not_a_directory);
}

TEST_CASE("a program name that is no name of a directory is refused") {
  const scratch in;
  ::setenv("XDG_RUNTIME_DIR", in.folder.c_str(), 1);
  for (const char* name : {"", ".", "..", "a/b"}) CHECK_FALSE(state_directory::open("", name));
}

} // namespace coppice::os
