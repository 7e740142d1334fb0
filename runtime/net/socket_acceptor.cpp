#include <algorithm>
#include <climits>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/socket_acceptor.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <sys/resource.h>
#include <utility>

namespace coppice {
namespace {

int descriptor_ceiling() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  const auto all = static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
  return static_cast<int>(all - std::min(limits::reserved_descriptors, all / 4));
}

} // namespace

socket_acceptor::socket_acceptor(asio::io_context& io, open_listener listening)
    : file_{std::move(listening.file)},
      socket_{io, listening.socket.release()},
      name_{std::move(listening.name)},
      counted_{listening.counted},
      ceiling_{descriptor_ceiling()} {}

void socket_acceptor::wait(std::function<void()> readable) {
  readable_ = std::move(readable);
  if (armed_ || !socket_.is_open()) return;
  armed_ = true;
  socket_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& ec) {
    if (ec == asio::error::operation_aborted) return; // closed, or this object is gone
    armed_ = false;
    if (readable_) std::exchange(readable_, nullptr)();
  });
}

void socket_acceptor::stop_waiting() { readable_ = nullptr; }

accept_result socket_acceptor::accept() {
  if (!socket_.is_open()) return {accept_kind::failed, {}, asio::error::bad_descriptor};
  // Numbers are given out lowest first (POSIX, "File Descriptor Allocation"), so a number says how
  // many are in use.
  if (near_it_) {
    auto lowest = os::duplicate(socket_.native_handle());
    if (!lowest || lowest->get() >= ceiling_)
      return {accept_kind::exhausted, {}, {EMFILE, std::system_category()}};
  }
  auto got = accept_one(socket_.native_handle());
  near_it_ = got.kind == accept_kind::connection && got.socket.get() >= ceiling_ - 1;
  return got;
}

void socket_acceptor::close() {
  readable_ = nullptr;
  armed_ = false;
  file_.remove(); // whoever looks for the service finds nobody, rather than one that is ending
  // Out of the loop's epoll set by hand: whoever else holds an inherited socket would keep it there
  // (epoll(7), Questions and answers 6).
  if (socket_.is_open()) os::unique_fd{socket_.release()};
}

std::string socket_acceptor::endpoint() const { return name_; }

} // namespace coppice
