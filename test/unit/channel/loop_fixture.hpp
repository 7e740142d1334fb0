#pragma once
// A loop that runs until something is true, with a deadline, and a check that no descriptor leaks.

#include "support/catch.hpp"

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace channel_test {

using namespace std::chrono_literals;

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

inline std::span<const std::byte> raw(std::string_view text) {
  return std::as_bytes(std::span{text});
}
inline std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class loop_fixture {
public:
  asio::io_context loop;

  template <class Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      loop.restart();
      loop.run_one_until(deadline);
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
  }
  /// Everything that can run without waiting.
  std::size_t run_what_is_ready() {
    loop.restart();
    return loop.poll();
  }
};

} // namespace channel_test
