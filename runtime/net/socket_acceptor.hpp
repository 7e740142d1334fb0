#pragma once
// The real acceptor: a listening socket on an asio loop. It reports exhaustion before there is none
// left: a primary without a descriptor to spare could not replace a worker.

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <coppice/runtime/net/acceptor.hpp>
#include <coppice/runtime/net/open_listener.hpp>
#include <memory>

namespace coppice {

class socket_acceptor final : public acceptor {
public:
  socket_acceptor(asio::io_context& io, open_listener listening);

  void wait(std::function<void()> readable) override;
  void stop_waiting() override;
  accept_result accept() override;
  void close() override;
  [[nodiscard]] std::string endpoint() const override;
  [[nodiscard]] bool counted() const override { return counted_; }

private:
  socket_file file_; ///< goes behind the socket
  asio::posix::stream_descriptor socket_;
  std::string name_;
  bool counted_ = false;
  std::function<void()> readable_;
  int ceiling_ = 0;      ///< descriptors from this number on are not for connections
  bool near_it_ = false; ///< the last one accepted was
  bool armed_ =
      false; ///< asio watches; a wait that is given up and taken up again needs no second watch
};

} // namespace coppice
