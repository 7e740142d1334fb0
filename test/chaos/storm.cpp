#include "chaos/storm.hpp"

#include "support/catch.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

namespace coppice::test {

namespace {

std::chrono::milliseconds length_of_storm() {
  const char* text = std::getenv("COPPICE_CHAOS_SECONDS");
  return text ? std::chrono::milliseconds{1000 * std::atoi(text)} : std::chrono::milliseconds{2000};
}

std::vector<std::string> command(const storm_options& how, const std::string& runs) {
  std::vector<std::string> argv{STORM_SERVICE,
                                "--listen",
                                "tcp://" + how.host + ":0",
                                "--workers",
                                std::to_string(how.workers),
                                "--log",
                                "warn",
                                "--runs",
                                runs,
                                "--protection",
                                how.protection,
                                "--spawn",
                                how.spawn};
  if (how.send_buffer > 0) {
    argv.emplace_back("--send-buffer");
    argv.push_back(std::to_string(how.send_buffer));
  }
  return argv;
}

} // namespace

storm::storm(storm_options how)
    : how_{std::move(how)},
      seed_{std::random_device{}()},
      runs_{folder_.file("runs")},
      program_{std::make_unique<program>(command(how_, folder_.file("runs")))} {
  program_->wait_ready();
}

asked storm::ask(std::string_view method, std::size_t bytes, std::string_view query,
                 std::string_view content, std::string_view fields) {
  asked request{.id = ids_++, .text = std::string{method}, .bytes = bytes};
  request.text += " /run?id=" + std::to_string(request.id) + "&bytes=" + std::to_string(bytes);
  request.text += query;
  request.text += " HTTP/1.1\r\nHost: x\r\n";
  request.text += fields;
  if (fields.find("chunked") != std::string_view::npos) {
    request.text += "\r\n";
    for (std::string_view left = content; !left.empty();) {
      const auto piece = left.substr(0, 97);
      char line[16];
      std::snprintf(line, sizeof line, "%zx\r\n", piece.size());
      (request.text += line).append(piece) += "\r\n";
      left.remove_prefix(piece.size());
    }
    request.text += "0\r\n\r\n";
    request.content = digest(content);
  } else if (method != "GET") {
    request.text += "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n";
    request.text += content;
    request.content = digest(content);
  } else {
    request.text += "\r\n";
  }
  request.once = method == "POST";
  ++requests_;
  return request;
}

void storm::fail(const std::string& why) {
  ++failed_;
  const std::lock_guard lock{guard_};
  if (first_failure_.empty()) first_failure_ = why;
}

void storm::cannot(std::string_view what, ending_of_call how) {
  if (how == ending_of_call::reset || how == ending_of_call::closed) {
    ++resets_;
    if (how_.may_reset || how_.may_refuse) return;
  }
  fail(std::string{what} + ": " + std::string{to_string(how)});
}

/// Whatever came, to its last byte, must be what one run of this very request has made.
bool storm::judge(const asked& request, const received& got) {
  const auto name = "request " + std::to_string(request.id) + ": ";
  const auto run = static_cast<std::uint32_t>(got.number("X-Run"));
  {
    const std::lock_guard lock{guard_};
    const bool whole = got.how == ending_of_call::done && got.status == 200;
    outcomes_.push_back({request.id, whole ? run : 0, request.once});
  }
  if (got.how == ending_of_call::too_late) return fail(name + "no end of its answer"), false;
  if (got.status == 200) {
    for (std::size_t i = 0; i < got.body.size(); ++i)
      if (got.body[i] != answer_byte(request.id, run, i))
        return fail(name + "byte " + std::to_string(i) + " is wrong"), false;
    bytes_ += got.body.size();
    if (got.length != request.bytes) return fail(name + "of another length"), false;
    if (got.number("X-Content") != request.content)
      return fail(name + "its content came in differently"), false;
    if (run > got.number("X-Attempt"))
      return fail(name + "run " + std::to_string(run) + " at attempt " +
                  std::to_string(got.number("X-Attempt"))),
             false;
  } else if (got.status == 500 && how_.signal == SIGSEGV) { // see check_poison
    const std::lock_guard lock{guard_};
    poison_.push_back(request.id);
    if (got.how == ending_of_call::done) ++refused_;
  } else if (got.status != 0) { // an error, whole or not
    if (!how_.may_refuse || (got.status != 500 && got.status != 502 && got.status != 503))
      return fail(name + "answered " + std::to_string(got.status)), false;
    if (got.how == ending_of_call::done) ++refused_;
  } else if (!got.head.empty() && got.how == ending_of_call::done) {
    return fail(name + "answered with no head"), false;
  }
  if (got.how == ending_of_call::done) return got.status == 200;
  ++resets_;
  if (!how_.may_reset)
    fail(name + std::string{to_string(got.how)} + " after " + std::to_string(got.head.size()) +
         " bytes of its head and " + std::to_string(got.body.size()) + " of its body");
  return false;
}

void storm::kill_workers() {
  std::mt19937 random{seed_};
  std::uniform_int_distribution<int> pause{how_.kill_from_ms, how_.kill_to_ms};
  std::set<pid_t> asked_to_end;
  do {
    program_->read_output();
    if (how_.signal == 0) continue;
    const auto now = program_->workers();
    if (2 * now.size() < how_.workers) continue; // half of them must have been able to come back
    const pid_t worker = now[random() % now.size()];
    int signal = how_.signal;
    // A second SIGTERM means a hurry, in which connections are closed.
    if (signal == SIGTERM && (random() % 2 == 0 || !asked_to_end.insert(worker).second))
      signal = SIGKILL;
    if (::kill(worker, signal) == 0) ++kills_;
  } while (!over() && !program_->wait_exit_within(std::chrono::milliseconds{pause(random)}));
}

/// Workers that crash by chance may do so twice over one request, which is poison then, as far as
/// anybody can tell. But that is in a report.
void storm::check_poison() {
  std::string reports;
  std::error_code none;
  const std::filesystem::path folder = program_->state_dir() + "/crashes";
  for (const auto& each : std::filesystem::directory_iterator{folder, none}) {
    std::ifstream file{each.path()};
    reports.append(std::istreambuf_iterator<char>{file}, {});
  }
  for (const auto id : poison_)
    if (reports.find("/run?id=" + std::to_string(id) + "&") == std::string::npos)
      fail("request " + std::to_string(id) + ": answered 500, and no report says why");
}

void storm::check_runs() {
  long more_than_once = 0;
  for (const auto& [id, answered, once] : outcomes_) {
    const run_entry& entry = runs_[id];
    const auto runs = entry.runs.load();
    const auto name = "request " + std::to_string(id) + ": ";
    if (runs > 1) ++more_than_once;
    if (entry.wrong != 0) fail(name + "an attempt did not count up");
    if (runs > entry.attempt) fail(name + "more runs than attempts");
    if (once && runs > 1) fail(name + "run twice");
    if (answered != 0 && runs != answered)
      fail(name + "run " + std::to_string(answered) + " was answered, of " + std::to_string(runs));
    if (how_.signal == 0 && !how_.may_refuse && (runs != 1 || entry.attempt != 1))
      fail(name + "not run exactly once");
  }
  std::printf("%s: %ld requests, %.1f MB, %ld kills, %ld run again, %ld refused, %ld reset, %ld "
              "failed, seed %u\n",
              how_.name.c_str(), requests_.load(), static_cast<double>(bytes_.load()) / 1e6, kills_,
              more_than_once, refused_.load(), resets_.load(), failed_.load(), seed_);
  std::fflush(stdout);
}

void storm::run(const std::function<void(unsigned)>& client) {
  end_ = clock_type::now() + length_of_storm();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < how_.clients; ++i)
    threads.emplace_back([&, i] {
      while (!over() && failed_ == 0) client(i);
    });
  kill_workers();
  for (auto& thread : threads) thread.join();
  program_->read_output();
  check_poison();
  check_runs();
  INFO(how_.name << ", seed " << seed_ << ", first failure: " << first_failure_ << "\n"
                 << program_->output());
  CHECK(failed_ == 0);
  CHECK(requests_ > 0);
  if (how_.signal != 0) CHECK(kills_ > 0);
  program_->signal(SIGTERM);
  CHECK(program_->wait_exit().well());
}

} // namespace coppice::test
