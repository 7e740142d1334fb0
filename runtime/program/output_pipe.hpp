#pragma once
// The reading end of a pipe into which a program prints.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace coppice {

/// Loop thread only. `on_bytes` is called from the loop and from `finish`, with at most
/// limits::output_read bytes at a time; it must not destroy this.
class output_pipe {
public:
  using bytes_handler = std::function<void(std::string_view)>;

  /// The program's end is `writer`; give it away, and drop it here. Errors: pipe2(2).
  [[nodiscard]] static result<std::unique_ptr<output_pipe>>
  open(asio::io_context& loop, os::unique_fd& writer, bytes_handler on_bytes);
  output_pipe(const output_pipe&) = delete;
  output_pipe& operator=(const output_pipe&) = delete;
  ~output_pipe();

  /// The program has ended: takes what is in the pipe (at most limits::output_drain), and closes
  /// it. The end of the pipe is not waited for: whatever the program has left running may hold it.
  void finish();

private:
  struct state;
  explicit output_pipe(std::shared_ptr<state> shared);
  std::shared_ptr<state> state_;
};

} // namespace coppice
