using System.Buffers;
using Microsoft.AspNetCore.Http;
using Penstock.Kernel;

namespace Penstock.Http;

/// <summary>Reads request bodies; the limit holds while reading, whatever the length header says.</summary>
internal static class Bodies
{
    public static Refusal TooLarge(long? limit) =>
        new(RefusalKind.TooLarge, "body_too_large", limit is { } bytes ? $"The body is larger than {bytes} bytes, the limit of this route." : "The body is larger than this server accepts.");

    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext http, long limit)
    {
        if (http.Request.Headers.ContentEncoding.Count > 0)
            throw new RefusedException(new Refusal(RefusalKind.UnsupportedMedia, "content_encoding", "Compressed bodies are not read; send the JSON as it is."));
        if (http.Request.ContentLength > limit) throw new RefusedException(TooLarge(limit));

        var reader = http.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(http.RequestAborted);
            if (read.Buffer.Length > limit)
            {
                // What was read is given back: Kestrel cannot close a body that somebody still reads.
                reader.AdvanceTo(read.Buffer.End);
                throw new RefusedException(TooLarge(limit));
            }

            if (!read.IsCompleted)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            var body = read.Buffer.ToArray();
            reader.AdvanceTo(read.Buffer.End);
            return body;
        }
    }
}
