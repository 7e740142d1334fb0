#pragma once
// A session on a connection in memory: what the client sends is text, what it gets is text, the
// loop and the clock are the test's. The connection behaves as leased_connection promises: output
// of a callback is staged until it returns, on_flushed comes only if some of it had to wait for the
// client.

#include "support/catch.hpp"
#include <algorithm>
#include <coppice/http/session.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::http::testing {

/// Keeps what is logged.
class kept_log final : public logger {
public:
  kept_log() : logger{log_level::trace} {}
  std::string lines;

protected:
  void write(log_level, std::string_view line) noexcept override {
    lines.append(line).append("\n");
  }
};

class memory_connection final : public transport {
public:
  std::string_view input() const override { return received; }
  bool input_ended() const override { return ended; }
  void pause_input() override { paused = true; }
  void resume_input() override { paused = false; }
  void reply(std::size_t n, std::span<const std::string_view> answer, bool last) override {
    said_last = last;
    if (closed()) return;
    REQUIRE_FALSE(streaming);
    put(answer);
    received.erase(0, n);
    ++replies;
  }
  void interim(std::string_view answer) override {
    REQUIRE_FALSE(streaming);
    put({&answer, 1});
  }
  void begin_stream() override {
    REQUIRE_FALSE(streaming);
    streaming = true;
    ++streams;
  }
  void consume(std::size_t n) override {
    if (closed()) return;
    REQUIRE(streaming);
    REQUIRE(n <= received.size());
    received.erase(0, n);
  }
  void write(std::span<const std::string_view> pieces) override {
    if (closed()) return;
    REQUIRE(streaming);
    put(pieces);
  }
  void end_stream() override {
    if (closed()) return;
    REQUIRE(streaming);
    streaming = false;
  }
  bool interim_sent() const override { return had_interim; }
  std::size_t unsent() const override { return staged.size(); }
  void close(close_mode how) override {
    if (closed()) return;
    closed_how = how;
  }
  bool closed() const override { return closed_how.has_value() || gone; }
  void replayable(bool yes) override { may_replay = yes; }
  unsigned attempt() const override { return attempts; }
  void set_deadline(std::optional<std::chrono::milliseconds> from_now) override {
    deadline = from_now;
  }

  // What the test looks at and sets.
  std::string received, staged, sent;
  std::size_t room = SIZE_MAX; ///< bytes that the client will take
  bool in_callback = false, flush_owed = false;
  bool ended = false, paused = false, streaming = false, gone = false, may_replay = false;
  bool said_last = false, had_interim = false;
  unsigned attempts = 1;
  int replies = 0, streams = 0;
  std::optional<close_mode> closed_how;
  std::optional<std::chrono::milliseconds> deadline;

  void flush() {
    const std::size_t n = std::min(room, staged.size());
    sent.append(staged, 0, n);
    staged.erase(0, n);
    if (room != SIZE_MAX) room -= n;
    if (!staged.empty()) flush_owed = true;
  }

private:
  void put(std::span<const std::string_view> pieces) {
    if (closed()) return;
    for (const auto piece : pieces) staged += piece;
    if (!in_callback || staged.size() > 16 * 1024) flush();
  }
};

/// The test's hold on one session.
class world {
public:
  explicit world(handler how, options choices = {})
      : shared{std::make_shared<service>(
            service{.how = std::move(how),
                    .choices = std::move(choices),
                    .log = log,
                    .later = [this](std::function<void()> f) { posted.push_back(std::move(f)); },
                    .fail = [this](std::string why) { failed = std::move(why); },
                    .now = [] { return std::time_t{784111777}; }})},
        on_it{std::make_unique<session>(connection, shared)} {}

  explicit world(std::function<response(const request&)> sync, options choices = {})
      : world{handler{std::move(sync), nullptr}, std::move(choices)} {}

  /// A callback of the connection, and what follows from it.
  template <class Callback>
  void call(Callback callback) {
    if (connection.closed()) return;
    connection.in_callback = true;
    callback(*on_it);
    connection.in_callback = false;
    connection.flush();
  }
  void send(std::string_view bytes) {
    connection.received += bytes;
    call([](session& s) { s.on_input(); });
    run();
  }
  void end_input() {
    connection.ended = true;
    call([](session& s) { s.on_input(); });
    run();
  }
  void time_out() {
    REQUIRE(connection.deadline);
    connection.deadline.reset();
    call([](session& s) { s.on_timeout(); });
    run();
  }
  void drain() {
    call([](session& s) { s.on_drain(); });
    run();
  }
  /// The client takes `n` bytes more.
  void take(std::size_t n) {
    connection.room = n;
    connection.flush();
    if (connection.staged.empty() && std::exchange(connection.flush_owed, false))
      call([](session& s) { s.on_flushed(); });
    run();
  }
  void go() {
    connection.gone = true;
    on_it->on_gone();
    on_it.reset();
    run();
  }
  void run() {
    for (int n = 0; !posted.empty(); ++n) {
      REQUIRE(n < 100'000); // a session that never rests
      auto next = std::move(posted.front());
      posted.pop_front();
      next();
    }
  }
  /// What the client has got since the last call.
  std::string got() { return std::exchange(connection.sent, {}); }

  kept_log log;
  memory_connection connection;
  std::deque<std::function<void()>> posted;
  std::string failed;
  std::shared_ptr<service> shared;
  std::unique_ptr<session> on_it;
};

inline std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
}

inline constexpr std::string_view date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

/// A whole answer of text/plain.
inline std::string plain(std::string_view status, std::string_view body,
                         std::string_view fields = {}) {
  return "HTTP/1.1 " + std::string{status} + "\r\n" + std::string{date} +
         "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string{fields} + "\r\n" + std::string{body};
}
inline constexpr std::string_view closing = "Connection: close\r\n";

inline response echo_path(const request& r) { return text(std::string{r.path()}); }

} // namespace coppice::http::testing
