// Workers that are added and removed at run time: a job runner. Each job is a process of its own,
// started by a call, gone when it is done. A pool beside it is scaled up and down.
//
// Prints what happens, and stops by itself.

#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <coppice/coppice.hpp>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

using namespace coppice;
using namespace std::chrono_literals;

template <class... Args>
void say(fmt::format_string<Args...> text, Args&&... args) {
  fmt::print("{}\n", fmt::format(text, std::forward<Args>(args)...));
  std::fflush(stdout);
}

/// A job is done when its coroutine ends, and then its process ends, too.
asio::awaitable<void> job(worker& self) {
  say("{} runs in process {}", self.name(), ::getpid());
  asio::steady_timer work{self.get_executor(), 200ms};
  co_await work.async_wait(asio::use_awaitable);
}

void helper(worker&) {}

/// What the service does by itself: three jobs, each started when the one before runs; then more
/// helpers; then it looks around, and ends.
class story {
public:
  explicit story(supervisor_calls calls) : calls_{std::move(calls)} {}

  void next_job() {
    if (++jobs_ > 3) return scale();
    calls_.start_child("jobs", {}, [this](const call_result<child_info>& job) {
      if (!job) return give_up(job.error());
      say("started {} as process {}", job->id, job->pid);
      next_job();
    });
  }

private:
  void scale() {
    calls_.scale("helpers", 3, [this](const call_result<scaled>& helpers) {
      if (!helpers) return give_up(helpers.error());
      say("helpers: {} to {}", helpers->before, helpers->after);
      stop_one();
    });
  }

  void stop_one() {
    calls_.stop_child("helpers", "helpers/1", [this](const call_result<void>& stopped) {
      if (!stopped) return give_up(stopped.error());
      say("helpers/1 has ended");
      look();
    });
  }

  void look() {
    calls_.restart_child("", "nobody", [this](const call_result<child_info>& none) {
      if (!none) say("refused: {}", none.error().text);
      calls_.which_children("helpers", [](const call_result<std::vector<child_info>>& all) {
        if (!all) return give_up(all.error());
        for (const child_info& each : *all) say("{} is {}", each.id, to_string(each.state));
        std::raise(SIGTERM);
      });
    });
  }

  static void give_up(const call_failure& why) {
    say("failed: {}", why.text);
    std::raise(SIGTERM);
  }

  supervisor_calls calls_;
  int jobs_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  std::optional<story> told;
  return run(argc, argv,
             {.children = {dynamic("jobs", job).restart(temporary).max_children(8),
                           pool("helpers", helper).instances(1)},
              .on_ready = [&](const service_started& service) {
                told.emplace(service.supervisors);
                told->next_job();
              }});
}
