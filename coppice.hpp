#pragma once
// All that a program built with coppice needs. It includes no CAF: actors stay behind it.

#include <coppice/actors/primary.hpp>
#include <coppice/actors/run.hpp>
#include <coppice/actors/spec.hpp>
#include <coppice/http/http.hpp>
#include <coppice/runtime/program/run_program.hpp>
#include <coppice/runtime/worker/connection.hpp>
#include <coppice/runtime/worker/datagram_sockets.hpp>
#include <coppice/runtime/worker/worker.hpp>
