#pragma once
// The name that a listening unix socket has in the file system: made, kept and removed by one
// owner. Beside PATH lies PATH.lock, locked as long as its owner lives (os::try_lock), so that a
// path left behind by a process that was killed is told from one that is served. Move-only; not
// thread-safe.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <string>
#include <sys/types.h>

namespace coppice {

struct endpoint;

class socket_file {
public:
  socket_file() = default;
  socket_file(socket_file&& other) noexcept;
  socket_file& operator=(socket_file&& other) noexcept;
  /// Removes both files.
  ~socket_file() { remove(); }

  /// Makes the path of a unix endpoint free to be bound: takes the lock, then removes a socket that
  /// is left there. Errors name the endpoint: a lock that is held, with its owner's pid; a socket
  /// that somebody serves without a lock; a file that is no socket, which is left alone.
  [[nodiscard]] static result<socket_file> claim(const endpoint& where);

  /// After bind(2): from here on the file is ours to remove.
  [[nodiscard]] result<void> bound();

  /// Removes the socket's file, unless another one has its name by now, and then the lock.
  void remove() noexcept;

private:
  os::unique_fd lock_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0; ///< 0: there is no file of ours yet
};

} // namespace coppice
