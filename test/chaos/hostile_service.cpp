// Three workers, of which web/1 writes what it likes into its own ledger when it is asked to.
//
//   /who                    the worker's name
//   /n/123                  123
//   /attack?how=N&seed=S    web/1 alone: one of the attacks below

#include "examples/options.hpp"

#include <coppice/runtime/lease/lease_layout.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <unistd.h>

namespace {

using namespace coppice;

/// The mapping of the whole ledger, found as anybody in the process could find it.
std::byte* ledger() {
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:coppice-ledger") == std::string::npos) continue;
    std::uintptr_t from = 0, to = 0;
    char dash = 0;
    std::istringstream{line} >> std::hex >> from >> dash >> to;
    if (to - from >= lease_file_size) return reinterpret_cast<std::byte*>(from);
  }
  return nullptr; // no connection has come with a lease yet
}

void scribble(std::span<std::byte> over, std::mt19937& random) {
  for (auto& byte : over) byte = static_cast<std::byte>(random());
}

void attack(unsigned how, std::mt19937& random) {
  std::byte* const at = ledger();
  if (at == nullptr) return;
  auto& header = *reinterpret_cast<ledger_header*>(at);
  auto& page = *reinterpret_cast<lease_page*>(at + lease_page_at);
  auto* const ring = reinterpret_cast<std::uint32_t*>(at + return_ring_at);
  const auto give_back = [&](std::uint32_t entry) {
    ring[page.returned % limits::lease_slots] = entry;
    ++page.returned;
  };
  switch (how % 9) {
  case 0: // counts that nothing is true of
    scribble({at + offsetof(ledger_header, taken), 200}, random);
    return;
  case 1:
    scribble({at, 4096}, random);
    return;
  case 2: // more than there are
    page.returned += limits::lease_slots + 1 + random() % 1000;
    return;
  case 3: // everything at once, of which it holds little
    for (std::uint32_t i = 0; i < limits::lease_slots; ++i)
      give_back(static_cast<std::uint32_t>(random()));
    return;
  case 4: // twice, both ways, while it serves them
    for (std::uint32_t slot = 0; slot < 64; ++slot) {
      give_back(ring_entry(slot, lease_return::alive));
      give_back(ring_entry(slot, lease_return::over));
    }
    return;
  case 5:
    for (std::uint32_t slot = 0; slot < 64; ++slot)
      scribble({at + slot_at(slot) + 8, sizeof(slot_head) - 8}, random);
    return;
  case 6:
    header.taken += 1'000'000;
    header.handed_back += random() % 100;
    return;
  case 7: // and dies of it
    for (std::uint32_t slot = 0; slot < 64; ++slot)
      scribble({at + slot_at(slot) + 8, 1000}, random);
    page.running = static_cast<std::uint32_t>(random());
    ::raise(SIGKILL);
    return;
  case 8:
    scribble({at + lease_page_at, slots_at - lease_page_at}, random);
    ::raise(SIGSEGV);
    return;
  }
}

void web(worker& self) {
  http::serve(self, [&self](const http::request& request) {
    const std::string_view path = request.path();
    if (path == "/who") return http::text(std::string{self.name()});
    if (path.starts_with("/n/")) return http::text(std::string{path.substr(3)});
    if (path != "/attack") return http::status(404);
    if (self.slot() == 1) {
      std::mt19937 random{static_cast<unsigned>(request.query_number("seed").value_or(0))};
      attack(static_cast<unsigned>(request.query_number("how").value_or(0)), random);
    }
    return http::text("done\n");
  });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"A service with one hostile worker"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  using namespace std::chrono_literals;
  // It is to come back at once, however often it dies.
  return run(argc, argv,
             example::service(chosen, pool("web", web)
                                          .backoff({.first = 10ms, .max = 50ms})
                                          .intensity({.restarts = 10'000, .period = 1s})));
}
