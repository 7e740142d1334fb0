#pragma once
// Makes workers by executing a program: the same binary, or another one that links the library.
// Each has a fresh address-space layout; it takes 1 to 4 ms.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/spawn/spawner.hpp>

#include <asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

struct exec_options {
  std::string executable = "/proc/self/exe"; ///< a path
  std::vector<std::string> argv;             ///< empty: `executable` alone
};

/// Errors a request can get: those of posix_spawn(3), with the executable's name.
class exec_spawner final : public spawner {
public:
  exec_spawner(asio::io_context& loop, logger& log, exec_options options);
  ~exec_spawner() override;

  void spawn(spawn_request request, on_spawned done) override;
  void stop() override;

private:
  result<os::child_process> start(const spawn_request& request);

  asio::io_context& loop_;
  logger& log_;
  exec_options options_;
  bool stopped_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>(); // gone: no callback
};

} // namespace coppice
