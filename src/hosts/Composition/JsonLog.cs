using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Penstock.Hosts;

/// <summary>
/// One JSON object a line for a log collector: <c>Timestamp</c> (UTC), <c>LogLevel</c>, <c>Category</c>, <c>Message</c>, <c>Exception</c> where there is one,
/// and what the message is made of in <c>State</c>. A line is written where it is logged, and goes out with others a moment later on a thread of its own:
/// a call does not wait for the console, and many lines cost one write.
/// </summary>
internal sealed class JsonLog : ILoggerProvider
{
    /// <summary>Bytes that may wait. Past them whoever logs waits: a log that drops lines is none.</summary>
    private const int MostWaiting = 8 * 1024 * 1024;

    /// <summary>How long a line may wait for others.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly TimeProvider _time;
    private readonly Stream _output;
    private readonly ConcurrentBag<Line> _lines = [];
    private readonly Lock _writing = new();
    private readonly object _gate = new();
    private readonly Thread _thread;
    private ArrayBufferWriter<byte> _waiting = new(64 * 1024);
    private ArrayBufferWriter<byte> _going = new(64 * 1024);
    private bool _closed;

    public JsonLog(TimeProvider time, Stream output)
    {
        (_time, _output) = (time, output);
        _thread = new Thread(Work) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    /// <summary>Returns when what was logged until now is written: for a process that may be frozen after it.</summary>
    public void Flush() => Write();

    public void Dispose()
    {
        lock (_gate)
        {
            if (_closed) return;
            _closed = true;
            Monitor.PulseAll(_gate);
        }

        _thread.Join();
        while (_lines.TryTake(out var line)) line.Dispose();
    }

    /// <summary>A line with its end, as it is.</summary>
    public void AddLine(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            while (_waiting.WrittenCount > MostWaiting && !_closed) Monitor.Wait(_gate);
            if (_waiting.WrittenCount == 0) Monitor.PulseAll(_gate);
            _waiting.Write(line);
            if (!_closed) return;
        }

        // The thread has ended, or is about to: the last lines of a shutdown go out here.
        Write();
    }

    private void Work()
    {
        while (true)
        {
            bool closed;
            lock (_gate)
            {
                while (_waiting.WrittenCount == 0 && !_closed) Monitor.Wait(_gate);
                if (!_closed && _waiting.WrittenCount < MostWaiting / 2) Monitor.Wait(_gate, Gather);
                closed = _closed;
            }

            Write();
            if (closed) return;
        }
    }

    private void Write()
    {
        lock (_writing)
        {
            lock (_gate)
            {
                (_waiting, _going) = (_going, _waiting);
                Monitor.PulseAll(_gate);
            }

            try
            {
                _output.Write(_going.WrittenSpan);
                _output.Flush();
            }
            catch (IOException)
            {
                // Whoever read the log is gone; calls go on without one.
            }

            _going.ResetWrittenCount();
        }
    }

    private sealed class Category(JsonLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!log._lines.TryTake(out var line)) line = new Line();
            line.Begin(log._time.GetUtcNow(), logLevel, name, formatter(state, exception), exception);
            if (state is IReadOnlyList<KeyValuePair<string, object?>> members) line.Write(members);
            log.AddLine(line.End());
            log._lines.Add(line);
        }
    }

    private sealed class Line : IDisposable
    {
        private const int Usual = 1024;
        private readonly ArrayBufferWriter<byte> _bytes = new(Usual);
        private readonly Utf8JsonWriter _json;

        public Line() => _json = new Utf8JsonWriter(_bytes, Relaxed);

        public void Begin(DateTimeOffset at, LogLevel level, string category, string message, Exception? exception)
        {
            _bytes.ResetWrittenCount();
            _json.Reset();
            _json.WriteStartObject();
            _json.WriteString("Timestamp"u8, at.UtcDateTime);
            _json.WriteString("LogLevel"u8, NameOf(level));
            _json.WriteString("Category"u8, category);
            _json.WriteString("Message"u8, message);
            if (exception is not null) _json.WriteString("Exception"u8, exception.ToString().ReplaceLineEndings(" "));
        }

        public void Write(IReadOnlyList<KeyValuePair<string, object?>> members)
        {
            _json.WriteStartObject("State"u8);
            for (var i = 0; i < members.Count; i++)
            {
                var (name, value) = members[i];
                if (name != "{OriginalFormat}") Write(name, value);
            }

            _json.WriteEndObject();
        }

        public void Dispose() => _json.Dispose();

        public ReadOnlySpan<byte> End()
        {
            _json.WriteEndObject();
            _json.Flush();
            _bytes.Write("\n"u8);
            return _bytes.WrittenSpan;
        }

        private void Write(string name, object? value)
        {
            switch (value)
            {
                case null: _json.WriteNull(name); break;
                case string text: _json.WriteString(name, text); break;
                case bool flag: _json.WriteBoolean(name, flag); break;
                case int number: _json.WriteNumber(name, number); break;
                case long number: _json.WriteNumber(name, number); break;
                case decimal number: _json.WriteNumber(name, number); break;
                case double number when double.IsFinite(number): _json.WriteNumber(name, number); break;
                default: _json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture)); break;
            }
        }

        private static string NameOf(LogLevel level) => level switch
        {
            LogLevel.Trace => "Trace",
            LogLevel.Debug => "Debug",
            LogLevel.Information => "Information",
            LogLevel.Warning => "Warning",
            LogLevel.Error => "Error",
            _ => "Critical",
        };
    }
}
