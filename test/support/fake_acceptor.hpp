#pragma once
// A listening socket that a test plays: clients are descriptors of /dev/null, so that each is told
// from the other by its number and a leak can be seen.

#include <coppice/runtime/net/acceptor.hpp>
#include <deque>
#include <fcntl.h>
#include <utility>

namespace coppice::test {

class fake_acceptor final : public acceptor {
public:
  /// A client connects.
  int client() {
    os::unique_fd socket{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = socket.get();
    backlog_.push_back({accept_kind::connection, std::move(socket), {}});
    return number;
  }
  /// The next accept brings this instead.
  void next(accept_kind outcome, std::error_code why = {}) {
    backlog_.push_back({outcome, os::unique_fd{}, why});
  }

  /// One round of the loop: tells whoever waits that a client is there. False: nobody waits, or
  /// nobody is there.
  bool poll() {
    if (backlog_.empty() || !readable_) return false;
    std::exchange(readable_, nullptr)();
    return true;
  }

  void wait(std::function<void()> readable) override { readable_ = std::move(readable); }
  void stop_waiting() override { readable_ = nullptr; }
  accept_result accept() override {
    ++accepts;
    if (backlog_.empty()) return {};
    auto next = std::move(backlog_.front());
    backlog_.pop_front();
    return next;
  }
  void close() override { closed = true; }
  std::string endpoint() const override { return "tcp://127.0.0.1:1"; }

  [[nodiscard]] bool waiting() const { return static_cast<bool>(readable_); }
  [[nodiscard]] std::size_t backlog() const { return backlog_.size(); }
  int accepts = 0;
  bool closed = false;

private:
  std::function<void()> readable_;
  std::deque<accept_result> backlog_;
};

} // namespace coppice::test
