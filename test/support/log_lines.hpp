#pragma once
// A logger that keeps its lines, for tests to look at.

#include <coppice/runtime/log.hpp>
#include <string>
#include <vector>

namespace coppice::test {

class log_lines final : public logger {
public:
  log_lines() : logger{log_level::debug} {}
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] bool has(std::string_view text) const {
    for (const auto& line : lines_)
      if (line.find(text) != std::string::npos) return true;
    return false;
  }

protected:
  void write(log_level, std::string_view line) noexcept override { lines_.emplace_back(line); }

private:
  std::vector<std::string> lines_;
};

} // namespace coppice::test
