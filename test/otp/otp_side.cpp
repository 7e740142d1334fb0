#include "otp_side.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace coppice::otp {
namespace {

constexpr int longest_answer_ms = 60'000;

// Compiles the drivers in memory, so that nothing is left behind.
std::string bootstrap(const std::string& drivers) {
  return "Compile = fun(File) ->"
         "  {ok, Module, Binary} = compile:file(File, [binary, return_errors]),"
         "  {module, Module} = code:load_binary(Module, File, Binary)"
         " end,"
         "[Compile(filename:join(\"" +
         drivers +
         "\", File)) || File <- [\"otp_child\", \"otp_clock\", \"otp_diary\","
         " \"otp_driver\", \"otp_script\", \"otp_tree\", \"virtual_supervisor_maker\"]],"
         "otp_driver:main().";
}

void make_pipe(os::unique_fd& read, os::unique_fd& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error{errno, std::generic_category(), "pipe2"};
  read.reset(ends[0]);
  write.reset(ends[1]);
}

} // namespace

story parse_story(std::string_view text) {
  story all(1);
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    if (end == from)
      all.emplace_back();
    else
      all.back().emplace_back(text.substr(from, end - from));
    from = end + 1;
  }
  if (all.back().empty()) all.pop_back(); // every group ends in an empty line
  return all;
}

std::optional<std::string> otp_side::find_erl() {
  const char* path = std::getenv("PATH");
  const std::string folders = path ? path : "";
  for (std::size_t from = 0; from < folders.size();) {
    const std::size_t end = std::min(folders.find(':', from), folders.size());
    const std::string candidate = folders.substr(from, end - from) + "/erl";
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    from = end + 1;
  }
  return std::nullopt;
}

otp_side::otp_side(const std::string& erl, const std::string& drivers) {
  os::unique_fd their_in;
  os::unique_fd their_out;
  make_pipe(their_in, in_);
  make_pipe(out_, their_out);
  // One scheduler: what is done in which order must not depend on the machine (otp_clock.erl).
  const std::string code = bootstrap(drivers);
  const char* argv[] = {
      erl.c_str(), "+S",    "1:1",        "-noinput", "-env", "ERL_CRASH_DUMP_SECONDS",
      "0",         "-eval", code.c_str(), nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error{errno, std::generic_category(), "fork"};
  if (pid == 0) {
    ::dup2(their_in.get(), 0);
    ::dup2(their_out.get(), 1);
    ::execv(erl.c_str(), const_cast<char* const*>(argv));
    ::_exit(127);
  }
  auto adopted = os::adopt_child(pid);
  if (!adopted) throw std::runtime_error{adopted.error().message()};
  process_.emplace(std::move(*adopted));
  std::signal(SIGPIPE, SIG_IGN); // a dead erl is an error of write(2)
}

void otp_side::begin(const script& what) {
  const std::string text = to_text(what);
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string frame;
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(size >> shift));
  write_all(frame + text);
}

story otp_side::finish() {
  std::uint32_t size = 0;
  for (const char byte : read_exactly(4)) size = size << 8 | static_cast<unsigned char>(byte);
  return parse_story(read_exactly(size));
}

void otp_side::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(in_.get(), bytes.data(), bytes.size());
    if (n < 0) throw std::system_error{errno, std::generic_category(), "write to erl"};
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string otp_side::read_exactly(std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    pollfd p{out_.get(), POLLIN, 0};
    if (::poll(&p, 1, longest_answer_ms) == 0)
      throw std::runtime_error{"erl gives no answer for a minute"};
    char buffer[65'536];
    const ssize_t n = ::read(out_.get(), buffer, std::min(size - bytes.size(), sizeof buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw std::runtime_error{"erl has ended; what it said is above"};
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  return bytes;
}

} // namespace coppice::otp
