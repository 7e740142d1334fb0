// Supervisors within supervisors, each with a strategy of its own, and what becomes of whom when
// somebody dies.
//
//     tree
//
//   root          one_for_one
//   |- clock      an agent: up before the rest, stopped after it
//   |- pipeline   rest_for_one: what comes later needs what comes before
//   |  |- source  an agent
//   |  |- filter  an agent: when it dies, sink is started anew with it, source is not
//   |  `- sink    an agent
//   `- pair       one_for_all: neither is of use without the other
//      |- left    an agent
//      `- right   an agent
//
// filter and left die once, soon after they are up. Each process says "NAME starts, incarnation N";
// the tree itself is in the log. Ctrl-C stops it.

#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <coppice/coppice.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

namespace {

using namespace coppice;
using namespace std::chrono_literals;

void say(const std::string& text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void member(worker& self) {
  say(fmt::format("{} starts, incarnation {}", self.name(), self.incarnation()));
}

/// The first incarnation dies soon after it was ready.
asio::awaitable<void> mortal(worker& self) {
  member(self);
  asio::steady_timer timer{self.get_executor(), self.incarnation() == 1 ? 200ms : 1h};
  co_await timer.async_wait(asio::use_awaitable);
  std::abort();
}

} // namespace

int main(int argc, char** argv) {
  return run(
      argc, argv,
      {.children = {
           agent("clock", member),
           supervisor("pipeline", {.strategy = rest_for_one,
                                   .children = {agent("source", member), agent("filter", mortal),
                                                agent("sink", member)}}),
           supervisor("pair", {.strategy = one_for_all,
                               .children = {agent("left", mortal), agent("right", member)}}),
       }});
}
