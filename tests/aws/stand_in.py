#!/usr/bin/env python3
"""A function that answers as the worker does but renders nothing: the bootstrap of tests that are about deployment.

A project whose name says `slow` takes a minute to plan; one that says `missing` fails as the worker would.
"""

import json
import os
import time
import urllib.request

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def post(path, value):
    urllib.request.urlopen(urllib.request.Request(f"{RUNTIME}/{path}", json.dumps(value).encode()))


def answer(event):
    action = event["Action"]
    if action == "probe":
        tools = {"Chrome": "HeadlessChrome/1", "WebGl": "SwiftShader", "Ffmpeg": "ffmpeg version 1", "Ffprobe": "ffprobe version 1"}
        drawn = {"FrameSource": "framebuffer", "FrameSourceReason": None, "Width": 320, "Height": 180}
        found = {"CredentialsShielded": True, "Cores": 2, "MemoryMiB": 3008, "Processes": 3, "Zombies": 0}
        return {"Action": action, **tools, **drawn, **found, "Capabilities": {}, "DurationMs": 1}
    if action == "plan":
        if "slow" in event["ProjectS3Uri"]:
            time.sleep(60)
        prefix = event["PlanOutputS3Prefix"]
        size = {"ChunkCount": 3, "TotalFrames": 90, "Fps": 30, "Width": 640, "Height": 360}
        kind = {"Format": "mp4", "HasAudio": False, "AudioS3Uri": None}
        return {"Action": action, "PlanS3Uri": f"{prefix}/plan.tar.gz", "PlanHash": "0" * 64, "DurationMs": 1, **size, **kind}
    if action == "renderChunk":
        index = event["ChunkIndex"]
        chunk = f"{event['ChunkOutputS3Prefix']}/chunks/{index:04}.mp4"
        return {"Action": action, "ChunkS3Uri": chunk, "ChunkIndex": index, "Sha256": "f" * 64, "FramesEncoded": 30, "DurationMs": 1}
    frames = 30 * len(event["ChunkS3Uris"])
    beside = {"PosterS3Uri": None, "PreviewS3Uri": None}
    return {"Action": action, "OutputS3Uri": event["OutputS3Uri"], **beside, "FramesEncoded": frames, "FileSize": 1, "CostUsd": None}


while True:
    with urllib.request.urlopen(f"{RUNTIME}/next") as request:
        id, event = request.headers["Lambda-Runtime-Aws-Request-Id"], json.load(request)
    if "missing" in event.get("ProjectS3Uri", ""):
        missing = {"errorType": "STORE_OBJECT_MISSING", "errorMessage": "nothing is stored under the project's URI"}
        post(f"{id}/error", missing)
    else:
        post(f"{id}/response", answer(event))
