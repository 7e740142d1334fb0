#pragma once
// A directory of a test's own.

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace coppice::test {

/// Removed at the end, with all that is in it.
class temporary_directory {
public:
  temporary_directory() {
    std::string name = std::filesystem::temp_directory_path() / "coppice-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp " + name};
    path_ = name;
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  /// The path of `name` in it.
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
  std::string path_;
};

} // namespace coppice::test
