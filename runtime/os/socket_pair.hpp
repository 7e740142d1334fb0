#pragma once
// Connected pairs of unix sockets: one end stays here, the other goes to another process. Both ends
// are non-blocking and closed on exec: an end that leaks into a third process hides the end of
// file.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

namespace coppice::os {

struct fd_pair {
  unique_fd ours;
  unique_fd theirs;
};

/// SOCK_SEQPACKET: keeps packets and the descriptors that ride with them together.
[[nodiscard]] result<fd_pair> seqpacket_pair();

/// SOCK_STREAM: for bulk data. Descriptors must not be sent on it, as bytes sent before them can
/// come out with them.
[[nodiscard]] result<fd_pair> stream_pair();

} // namespace coppice::os
