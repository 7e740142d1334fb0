// worker::serve: one coroutine for each connection.
#include <coppice/runtime/worker/connection.hpp>
#include <coppice/runtime/worker/exception_text.hpp>
#include <coppice/runtime/worker/worker.hpp>

#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <cerrno>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace coppice {

namespace {

/// Whether it only says that this connection is over: then it ends its coroutine and nothing else.
bool is_about_the_peer(const std::error_code& code) {
  constexpr std::array numbers{ECONNRESET, EPIPE, ETIMEDOUT, ECANCELED, EHOSTUNREACH, ENETUNREACH};
  return code == asio::error::eof ||
         std::ranges::any_of(numbers, [&](int number) { return is_errno(code, number); });
}

} // namespace

void worker::serve(std::function<asio::awaitable<void>(connection)> each, protection movable) {
  // Shared by the coroutines, which may outlive this service: a lambda's captures live in its
  // closure, not in the coroutine's frame.
  auto service =
      std::make_shared<std::function<asio::awaitable<void>(connection)>>(std::move(each));
  on_connection(
      [this, service](leased_connection& lease) {
        auto stream = std::make_shared<detail::connection_stream>(context(), lease);
        asio::co_spawn(context(), (*service)(connection{stream}),
                       [this, service](const std::exception_ptr& thrown) {
                         if (thrown && !is_about_the_peer(code_of(thrown)))
                           retire_after_failure(text_of(thrown));
                       });
        return detail::connection_stream::make_user(std::move(stream));
      },
      movable);
}

} // namespace coppice
