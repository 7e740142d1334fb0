#include <coppice/runtime/os/socket_pair.hpp>

#include <sys/socket.h>

namespace coppice::os {
namespace {

result<fd_pair> make_pair_of(int type, const char* name) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return system_failure("create", name);
  return fd_pair{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

} // namespace

result<fd_pair> seqpacket_pair() { return make_pair_of(SOCK_SEQPACKET, "seqpacket pair"); }
result<fd_pair> stream_pair() { return make_pair_of(SOCK_STREAM, "stream pair"); }

} // namespace coppice::os
