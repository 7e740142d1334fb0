#include <coppice/runtime/program/output_pipe.hpp>

#include <coppice/runtime/limits.hpp>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace coppice {

struct output_pipe::state : std::enable_shared_from_this<state> {
  state(asio::io_context& loop, os::unique_fd reader, bytes_handler handler)
      : on_bytes{std::move(handler)},
        pipe{loop, reader.release()} {}

  void wait() {
    pipe.async_wait(asio::posix::stream_descriptor::wait_read,
                    [weak = weak_from_this()](const std::error_code& failed) {
                      const auto self = weak.lock();
                      if (!self || failed) return;
                      self->read();
                      if (self->pipe.is_open()) self->wait();
                    });
  }

  /// Bytes read; 0 at the end, and when there are none. Once a round: others have their turn.
  std::size_t read() {
    if (!pipe.is_open()) return 0;
    std::array<char, limits::output_read> buffer;
    ssize_t n = 0;
    do n = ::read(pipe.native_handle(), buffer.data(), buffer.size());
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) {
      close();
      return 0;
    }
    on_bytes({buffer.data(), static_cast<std::size_t>(n)});
    return static_cast<std::size_t>(n);
  }

  void close() {
    std::error_code ignored;
    pipe.close(ignored);
  }

  bytes_handler on_bytes;
  asio::posix::stream_descriptor pipe;
};

result<std::unique_ptr<output_pipe>>
output_pipe::open(asio::io_context& loop, os::unique_fd& writer, bytes_handler on_bytes) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("create", "output pipe");
  os::unique_fd reader{ends[0]};
  writer.reset(ends[1]);
  // Ours alone: programs do not expect a standard output that answers EAGAIN.
  if (::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0)
    return system_failure("set up", "output pipe");
  auto shared = std::make_shared<state>(loop, std::move(reader), std::move(on_bytes));
  shared->wait();
  return std::unique_ptr<output_pipe>{new output_pipe{std::move(shared)}};
}

output_pipe::output_pipe(std::shared_ptr<state> shared) : state_{std::move(shared)} {}

output_pipe::~output_pipe() { state_->close(); }

void output_pipe::finish() {
  std::size_t taken = 0;
  while (taken < limits::output_drain) {
    const auto n = state_->read();
    if (n == 0) break;
    taken += n;
  }
  state_->close();
}

} // namespace coppice
