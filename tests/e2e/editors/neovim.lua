-- What a person does in Neovim, in what 0.7 and 0.11 have in common. Every wait is for a condition,
-- in the editor's own loop; what is seen is told as JSON on stdout, for the test to judge.
local M = {}

local SECONDS = 30

--- What `found` gives, as soon as it gives something.
function M.wait(what, found)
  local value
  local function holds()
    value = found()
    return value
  end
  if not vim.wait(SECONDS * 1000, holds, 20) then error('waited in vain for ' .. what) end
  return value
end

--- Tell the test what is seen.
function M.tell(name, value)
  io.stdout:write(vim.json.encode({ [name] = value }) .. '\n')
  io.stdout:flush()
end

--- Run `scenario`, and leave.
function M.main(scenario)
  local well, fault = xpcall(scenario, debug.traceback)
  if not well then M.tell('fault', fault .. '\n' .. vim.fn.execute('messages')) end
  M.tell('messages', vim.split(vim.fn.execute('messages'), '\n', { trimempty = true }))
  M.tell('done', true)
  vim.cmd('qa!')
end

function M.open(path)
  vim.cmd('edit ' .. path)
end

--- The diagnostics of the buffer, once they fit.
function M.diagnostics(what, fits)
  return M.wait(what, function()
    local rows = {}
    for _, each in ipairs(vim.diagnostic.get(0)) do
      rows[#rows + 1] = {
        range = { each.lnum, each.col, each.end_lnum, each.end_col },
        message = each.message, severity = each.severity, source = each.source,
      }
    end
    return fits(rows) and rows
  end)
end

function M.some(rows) return #rows > 0 end

function M.none(rows) return #rows == 0 end

--- Put the cursor on the first place of `text`.
function M.at(text)
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  assert(vim.fn.search('\\V' .. text, 'cW') > 0, text)
end

function M.text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\n')
end

--- What K shows.
function M.hover()
  vim.lsp.buf.hover()
  local window = M.wait('the hover', function()
    for _, each in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(each).relative ~= '' then return each end
    end
  end)
  local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, true)
  vim.api.nvim_win_close(window, true)
  return table.concat(lines, '\n')
end

--- Type `begun` on a new last line and CTRL-X CTRL-O: the words offered, the first being taken.
function M.complete(begun)
  local words
  local function keys(text, mode)
    vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(text, true, false, true), mode, false)
  end
  local timer, tries = vim.loop.new_timer(), 0
  timer:start(0, 20, vim.schedule_wrap(function()
    if timer:is_closing() then return end
    local items = vim.fn.complete_info({ 'items' }).items
    tries = tries + 1
    if #items == 0 and tries < SECONDS * 50 then return end
    timer:close()
    words = vim.tbl_map(function(item) return item.word end, items)
    keys('<Esc>', 'n')
  end))
  -- With `!` the keys after these are waited for, as if a person typed them. The indentation goes.
  keys('Go0<C-d>' .. begun .. '<C-x><C-o>', 'tx!')
  return M.wait('completion', function() return words end)
end

--- Choose as a person would in the list that `offered` opens: the first title that has `wanted`.
function M.choose(wanted, offer)
  local titles
  local select = vim.ui.select
  vim.ui.select = function(items, options, chosen)
    titles = {}
    local index
    for i, item in ipairs(items) do
      titles[i] = (options.format_item or tostring)(item)
      if not index and titles[i]:find(wanted, 1, true) then index = i end
    end
    chosen(items[index], index)
  end
  offer()
  M.wait('a list with ' .. wanted, function() return titles end)
  vim.ui.select = select
  return titles
end

--- The titles of the lenses that the buffer shows, once one has `wanted`.
function M.lenses(wanted)
  return M.wait('a lens with ' .. wanted, function()
    local titles, found = {}, false
    for i, lens in ipairs(vim.lsp.codelens.get(0)) do
      titles[i] = lens.command and lens.command.title or ''
      found = found or titles[i]:find(wanted, 1, true)
    end
    return found and titles
  end)
end

--- What `act` leads to: the first message that has `words`, once there is one.
function M.message(words, act)
  vim.cmd('messages clear')
  act()
  return M.wait('a message with ' .. words, function()
    for _, line in ipairs(vim.split(vim.fn.execute('messages'), '\n')) do
      if line:find(words, 1, true) then return line end
    end
  end)
end

return M
