#pragma once
// The real acceptor: a listening socket on an asio loop. It reports exhaustion before there is none
// left: a primary without a descriptor to spare could not replace a worker.

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <coppice/runtime/net/acceptor.hpp>
#include <memory>

namespace coppice {

class socket_acceptor final : public acceptor {
public:
  /// Listens. The error names the endpoint as it was asked for.
  [[nodiscard]] static result<std::unique_ptr<socket_acceptor>>
  open(asio::io_context& io, const coppice::endpoint& where, const listen_options& options = {});

  void wait(std::function<void()> readable) override;
  void stop_waiting() override;
  accept_result accept() override;
  void close() override;
  [[nodiscard]] std::string endpoint() const override;

private:
  socket_acceptor(asio::io_context& io, os::unique_fd socket, std::string name);

  asio::posix::stream_descriptor socket_;
  std::string name_;
  std::function<void()> readable_;
  int ceiling_ = 0;      ///< descriptors from this number on are not for connections
  bool near_it_ = false; ///< the last one accepted was
  bool armed_ =
      false; ///< asio watches; a wait that is given up and taken up again needs no second watch
};

} // namespace coppice
