#pragma once
// One request that is not answered yet, as its responder sees it: the responder's half of the
// session. An interface, so that public headers show nothing of the session. Not for users.
//
// Shared by the responder, the body stream and the session; the session says when it is over. Loop
// thread only.

#include <coppice/http/response.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <system_error>

namespace coppice::http {

using room_callback = std::function<void(std::error_code)>;

class pending_exchange {
public:
  pending_exchange() = default;
  pending_exchange(const pending_exchange&) = delete;
  pending_exchange& operator=(const pending_exchange&) = delete;
  virtual ~pending_exchange() = default;

  /// False: the connection has gone, or the answer is finished. Nothing but when_room() may be
  /// called then.
  [[nodiscard]] virtual bool open() const noexcept = 0;

  virtual void answer(response&& whole) = 0;
  virtual void fail(std::exception_ptr error) = 0;
  virtual void drop() noexcept = 0; ///< the responder was destroyed unused
  virtual void replayable(bool may) = 0;

  virtual void begin(response&& head, std::optional<std::uint64_t> length) = 0;
  virtual void write(std::string_view piece) = 0;
  [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;
  virtual void when_room(room_callback ready) = 0;
  virtual void stop_waiting() = 0;
  virtual void finish() = 0;
  virtual void abandon() noexcept = 0; ///< the stream was destroyed before it was finished
};

} // namespace coppice::http
