#pragma once
// What a session needs of its connection. An interface, so that sessions are tested in memory,
// without sockets and clocks; leased_session (serve.cpp) is the real one, over leased_connection,
// whose members these are. What is said there holds here. Not for users.

#include <chrono>
#include <coppice/runtime/worker/leased_connection.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace coppice::http {

class transport {
public:
  transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  virtual ~transport() = default;

  [[nodiscard]] virtual std::string_view input() const = 0;
  [[nodiscard]] virtual bool input_ended() const = 0;
  virtual void pause_input() = 0;
  virtual void resume_input() = 0;

  virtual void reply(std::size_t n, std::span<const std::string_view> answer, bool last) = 0;
  virtual void interim(std::string_view answer) = 0;
  [[nodiscard]] virtual bool interim_sent() const = 0;
  virtual void begin_stream() = 0;
  virtual void consume(std::size_t n) = 0;
  virtual void write(std::span<const std::string_view> pieces) = 0;
  virtual void end_stream() = 0;
  [[nodiscard]] virtual std::size_t unsent() const = 0;

  virtual void close(close_mode how) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
  virtual void replayable(bool yes) = 0;
  [[nodiscard]] virtual unsigned attempt() const = 0;
  virtual void set_deadline(std::optional<std::chrono::milliseconds> from_now) = 0;
};

} // namespace coppice::http
