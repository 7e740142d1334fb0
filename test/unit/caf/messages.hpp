#pragma once
// The messages of the tests in this folder.

#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <functional>
#include <memory>
#include <string>

namespace coppice {

enum class colour { red, green };
inline std::string to_string(colour c) { return c == colour::red ? "red" : "green"; }

struct tick {};
struct number {
  int value = 0;
};
struct everything {
  int a = 0;
  std::string b{};
  colour c = colour::red;
  std::chrono::milliseconds d{0};
  std::vector<int> e{};
};
struct ended {
  int who = 0;
  std::string why{};
};
struct unknown_to_all {};
struct descriptor {
  port::moved<os::unique_fd> fd;
};
/// Lets a test say what an actor does.
struct perform {
  std::function<void(caf::event_based_actor*)> what;
};

} // namespace coppice

COPPICE_MESSAGES_BEGIN(caf_tests, 1000)
COPPICE_MESSAGE(caf_tests, coppice::tick)
COPPICE_MESSAGE(caf_tests, coppice::number, value)
COPPICE_MESSAGE(caf_tests, coppice::everything, a, b, c, d, e)
COPPICE_MESSAGE(caf_tests, coppice::ended, who, why)
COPPICE_MESSAGE(caf_tests, coppice::unknown_to_all)
COPPICE_LOCAL_MESSAGE(caf_tests, coppice::descriptor)
COPPICE_LOCAL_MESSAGE(caf_tests, coppice::perform)
COPPICE_MESSAGES_END(caf_tests)
