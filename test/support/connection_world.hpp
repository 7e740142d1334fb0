#pragma once
// A connection_set on a loop of its own, a user made of functions, and waits with deadlines.

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/worker/connection_set.hpp>

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace coppice::test {

/// What a test's user does, and what it has seen. Shared with the test, so it outlives the
/// connection.
struct script {
  std::function<void(leased_connection&)> on_input;
  std::function<void(leased_connection&)> on_flushed;
  std::function<void(leased_connection&)> on_timeout;
  std::function<void(leased_connection&)> on_drain;
  leased_connection* lease = nullptr; ///< null once gone
  int inputs = 0;
  int flushes = 0;
  int timeouts = 0;
  int drains = 0;
  int gone = 0;
  int destroyed = 0;
  std::error_code why;
};

class scripted_user final : public connection_user {
public:
  explicit scripted_user(script& s) : script_{s} {}
  ~scripted_user() override { ++script_.destroyed; }
  void on_input(leased_connection& c) override {
    ++script_.inputs;
    if (script_.on_input) script_.on_input(c);
  }
  void on_flushed(leased_connection& c) override {
    ++script_.flushes;
    if (script_.on_flushed) script_.on_flushed(c);
  }
  void on_timeout(leased_connection& c) override {
    ++script_.timeouts;
    if (script_.on_timeout) script_.on_timeout(c);
  }
  void on_drain(leased_connection& c) override {
    ++script_.drains;
    if (script_.on_drain) script_.on_drain(c);
  }
  void on_gone(leased_connection&, std::error_code why) override {
    ++script_.gone;
    script_.why = why;
    script_.lease = nullptr;
  }

private:
  script& script_;
};

struct connection_world {
  asio::io_context loop;
  std::unique_ptr<connection_set> set = std::move(connection_set::open(loop).value());

  /// Adopts the server's side of a new connection, served by `s`; gives the client's side.
  os::unique_fd adopt(script& s, socket_sizes sizes = {}) {
    auto pair = make_tcp_pair(sizes);
    adopt(s, std::move(pair.server));
    return std::move(pair.client);
  }
  void adopt(script& s, os::unique_fd server) {
    set->serve_with([&s](leased_connection& c) {
      s.lease = &c;
      return std::make_unique<scripted_user>(s);
    });
    set->adopt(std::move(server), 1, 0);
  }

  /// Turns the loop until `done`; fails after `patience`.
  template <class Done>
  void until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds{5});
    }
  }
  /// Everything that is ready now, and what follows from it.
  void settle() {
    loop.restart();
    while (loop.poll() > 0) loop.restart();
  }
  std::string receive_exactly(const os::unique_fd& client, std::size_t size) {
    std::string all;
    until([&] { return receive_some(client, all) || all.size() >= size; });
    return all;
  }
  std::string receive_to_end(const os::unique_fd& client) {
    std::string all;
    until([&] { return receive_some(client, all); });
    return all;
  }
};

/// Each line of input is one exchange, answered by itself.
inline void echo_lines(leased_connection& c) {
  for (auto end = c.input().find('\n'); end != std::string_view::npos; end = c.input().find('\n')) {
    const std::string_view line = c.input().substr(0, end + 1);
    c.reply(line.size(), line);
  }
}

/// `size` bytes that show where they come from.
inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return bytes;
}

} // namespace coppice::test
