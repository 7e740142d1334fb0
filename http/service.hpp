#pragma once
// What all sessions of one http::serve share: the handler, the options, the ways out of HTTP. Not
// for users.
//
// Lives as long as a session or a pending answer refers to it. Loop thread only.

#include <coppice/http/options.hpp>
#include <coppice/http/serializer.hpp>
#include <coppice/http/serve.hpp>
#include <coppice/runtime/log.hpp>
#include <ctime>
#include <functional>
#include <string>
#include <utility>

namespace coppice::http {

struct service {
  handler how;
  options choices;
  logger& log;
  /// Calls later, through the loop.
  std::function<void(std::function<void()>)> later;
  /// Has the worker replaced after a failure, with this reason.
  std::function<void(std::string)> fail;
  /// Seconds since 1970, for Date.
  std::time_t (*now)() = [] { return std::time(nullptr); };

  /// One for all sessions: what it makes is handed over before another session has its turn.
  serializer writer{};
};

} // namespace coppice::http
