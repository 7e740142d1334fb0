#pragma once
// OTP's side: one `erl` process, which plays any number of scripts to the real supervisor, one
// after the other (erlang/otp_driver.erl). Single-threaded.

#include "script.hpp"

#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace coppice::otp {

/// What happened, line by line: at boot, and in each group of steps.
using story = std::vector<std::vector<std::string>>;

[[nodiscard]] story parse_story(std::string_view text);

class otp_side {
public:
  /// Where `erl` is, if it is in PATH.
  [[nodiscard]] static std::optional<std::string> find_erl();
  /// `drivers`: the folder of the Erlang sources. Throws std::runtime_error if it can't be started.
  otp_side(const std::string& erl, const std::string& drivers);

  /// `begin` sends the script, so that both sides can play at the same time; `finish` gives what
  /// OTP made of it. Throws std::runtime_error if there is no answer within a minute.
  void begin(const script& what);
  [[nodiscard]] story finish();

private:
  void write_all(std::string_view bytes);
  [[nodiscard]] std::string read_exactly(std::size_t size);

  os::unique_fd in_;
  os::unique_fd out_;
  std::optional<os::child_process> process_; // ended first
};

} // namespace coppice::otp
